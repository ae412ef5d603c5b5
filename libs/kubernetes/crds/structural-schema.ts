import { z } from 'zod';

/** A structural schema, as CustomResourceDefinitions hold them. */
export type StructuralSchema = Record<string, unknown>;

/**
 * The structural schema of a zod schema. Objects that are loose keep unknown fields; bounds that only mirror the number
 * types of JavaScript are left out.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return cleaned(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }));
}

function cleaned(node: object): StructuralSchema {
  const {
    description,
    type,
    properties,
    items,
    additionalProperties,
    required,
    nullable,
    enum: words,
    maximum,
    'x-kubernetes-int-or-string': isIntOrString,
    'x-kubernetes-list-type': listType,
    'x-kubernetes-list-map-keys': listKeys,
  } = node as Node;
  const isRecord = isObject(additionalProperties) && Object.keys(additionalProperties).length > 0;
  const isLoose = isObject(additionalProperties) && !isRecord;
  return {
    ...(description !== undefined && { description }),
    ...(isIntOrString ? { 'x-kubernetes-int-or-string': true } : { type }),
    ...(maximum === INT32_MAX && { format: 'int32' }),
    ...(nullable === true && { nullable }),
    ...(words !== undefined && { enum: words }),
    ...(listType !== undefined && {
      'x-kubernetes-list-type': listType,
      'x-kubernetes-list-map-keys': listKeys,
    }),
    ...(isRecord && { additionalProperties: cleaned(additionalProperties) }),
    ...(isLoose && { 'x-kubernetes-preserve-unknown-fields': true }),
    ...(required !== undefined && { required }),
    ...(properties !== undefined &&
      Object.keys(properties).length > 0 && {
        properties: Object.fromEntries(
          Object.entries(properties).map(([name, value]) => [name, cleaned(value)]),
        ),
      }),
    ...(items !== undefined && { items: cleaned(items) }),
  };
}

const INT32_MAX = 2 ** 31 - 1;

interface Node {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, object>>;
  readonly items?: object;
  readonly additionalProperties?: unknown;
  readonly required?: readonly string[];
  readonly nullable?: boolean;
  readonly enum?: readonly string[];
  readonly maximum?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
