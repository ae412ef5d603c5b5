/** What every object of Kubernetes has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** Metadata of an object, as far as it is used here. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Rises when the spec changes, and not when the status does. */
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Who an object is deleted with. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** A kind of object, as paths name it. */
export interface ResourceType {
  /** `group/version`, or `v1` for the first group. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

/** Which object, or all of a namespace, or all there are. */
export interface ResourcePlace {
  /** Left out for objects of the cluster, and to list those of all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: string;
}

/** The path of an object or a collection on an API server. */
export function resourcePath(type: ResourceType, place: ResourcePlace = {}): string {
  const root = type.apiVersion.includes('/') ? '/apis' : '/api';
  const { namespace, name, subresource } = place;
  const parts = [
    ...(namespace ? ['namespaces', namespace] : []),
    type.plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `${root}/${type.apiVersion}/${parts.map(encodeURIComponent).join('/')}`;
}

/** `namespace/name`, or the name alone for an object of the cluster: unique within one kind. */
export function keyOf({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}
