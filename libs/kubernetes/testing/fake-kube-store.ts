import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { mergeApplied, type Json } from './merge-applied';

/** An object as the fake keeps it. */
export interface StoredObject extends Json {
  apiVersion: string;
  kind: string;
  metadata: Json & {
    name: string;
    namespace?: string;
    resourceVersion: string;
    generation?: number;
  };
  spec?: unknown;
  status?: unknown;
}

/** One change, as a watch tells it. */
export interface StoredChange {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly collection: string;
  readonly object: StoredObject;
}

/** What the fake answers instead of an object. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** Where an object or a collection is. */
export interface Place {
  /** `group/version/plural`. */
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** The objects of a fake API server, with versions, generations, server-side apply, and a history for watches. */
export class FakeKubeStore {
  readonly #objects = new Map<string, { readonly place: Place; object: StoredObject }>();
  readonly #applied = new Map<string, Json>();
  readonly changes: StoredChange[] = [];
  /** Watches from before this version are answered 410. */
  forgottenBefore = 0;
  version = 1;
  onChange: () => void = () => undefined;

  list(place: Place): StoredObject[] {
    return [...this.#objects.values()]
      .filter(({ place: at }) => at.collection === place.collection)
      .filter(({ place: at }) => !place.namespace || at.namespace === place.namespace)
      .map(({ object }) => object)
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  get(place: Place): StoredObject {
    const found = this.#objects.get(pathOf(place));
    if (!found) throw new Refusal(404, 'NotFound', `${place.name ?? ''} not found`);
    return found.object;
  }

  create(place: Place, given: Json): StoredObject {
    const object = given as StoredObject;
    const generateName = object.metadata['generateName'];
    const { name: wanted } = object.metadata as Partial<StoredObject['metadata']>;
    const name = wanted ?? `${String(generateName)}${randomUUID().slice(0, 5)}`;
    const at = { ...place, name, subresource: undefined };
    if (this.#objects.has(pathOf(at)))
      throw new Refusal(409, 'AlreadyExists', `${name} already exists`);
    const metadata = {
      ...object.metadata,
      ...(place.namespace && { namespace: place.namespace }),
      name,
      uid: randomUUID(),
      creationTimestamp: new Date().toISOString(),
      generation: 1,
    };
    return this.#put(at, { ...object, metadata: { ...metadata, resourceVersion: '' } }, 'ADDED');
  }

  replace(place: Place, given: Json): StoredObject {
    const live = this.get(place);
    const { metadata } = given as StoredObject;
    const { resourceVersion } = metadata as Partial<StoredObject['metadata']>;
    if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion)
      throw new Refusal(409, 'Conflict', 'the object has been modified');
    return this.#update(place, live, given);
  }

  apply(place: Place, given: Json, manager: string): StoredObject {
    const key = `${pathOf(place)} ${place.subresource ?? ''} ${manager}`;
    const applied =
      place.subresource === undefined
        ? { ...given }
        : { [place.subresource]: given[place.subresource] };
    const { metadata, ...rest } = applied as { metadata?: Json };
    const { namespace: _namespace, name: _name, ...meta } = metadata ?? {};
    const owned: Json = { ...rest, metadata: meta };
    const before = this.#applied.get(key);
    const found = this.#objects.get(pathOf(place))?.object;
    if (!found && place.subresource !== undefined) this.get(place);
    this.#applied.set(key, structuredClone(owned));
    if (!found) return this.create({ ...place, name: undefined }, given);
    return this.#update(place, found, mergeApplied(found, before, owned));
  }

  delete(place: Place): StoredObject {
    const object = this.get(place);
    this.#objects.delete(pathOf(place));
    this.#record('DELETED', place.collection, { ...object });
    return object;
  }

  #update(place: Place, live: StoredObject, given: Json): StoredObject {
    const { metadata, spec, status, ...rest } = given as StoredObject;
    const isStatus = place.subresource === 'status';
    const next: StoredObject = isStatus
      ? { ...live, status }
      : {
          ...rest,
          apiVersion: live.apiVersion,
          kind: live.kind,
          metadata,
          spec,
          status: live.status,
        };
    if (spec === undefined && !isStatus) delete next.spec;
    if (next.status === undefined) delete next.status;
    const isSpecChanged = !isStatus && !isDeepStrictEqual(live.spec, next.spec);
    const generation = Number(live.metadata.generation) + (isSpecChanged ? 1 : 0);
    const { uid, creationTimestamp, resourceVersion } = live.metadata;
    next.metadata = {
      ...(isStatus ? live.metadata : metadata),
      ...{ uid, creationTimestamp, generation, resourceVersion },
    };
    if (isDeepStrictEqual(live, next)) return live;
    return this.#put({ ...place, subresource: undefined }, next, 'MODIFIED');
  }

  #put(place: Place, object: StoredObject, type: 'ADDED' | 'MODIFIED'): StoredObject {
    const stored = structuredClone(object);
    this.#objects.set(pathOf(place), { place, object: stored });
    this.#record(type, place.collection, stored);
    return stored;
  }

  #record(type: StoredChange['type'], collection: string, object: StoredObject): void {
    this.version += 1;
    object.metadata = { ...object.metadata, resourceVersion: String(this.version) };
    this.changes.push({ version: this.version, type, collection, object: structuredClone(object) });
    this.onChange();
  }
}

function pathOf({ collection, namespace, name }: Place): string {
  return [collection, namespace ?? '', name ?? ''].join('/');
}

function keyOf({ metadata }: StoredObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
