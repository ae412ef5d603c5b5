import { stringify } from 'yaml';
import type { z } from 'zod';
import { RULE } from './rule-schema';
import { structuralSchema, type StructuralSchema } from './structural-schema';
import { WEBHOOK } from './webhook-schema';

const GROUP = 'auditing.kubesphere.io';

/** A column that `kubectl get` prints. */
interface Column {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly description?: string;
  /** 1: only with `-o wide`. */
  readonly priority?: number;
}

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const condition = (type: string, field = 'status'): string =>
  `.status.conditions[?(@.type=="${type}")].${field}`;

const WEBHOOK_COLUMNS: readonly Column[] = [
  { name: 'Level', type: 'string', jsonPath: '.spec.auditLevel' },
  { name: 'Kubernetes', type: 'boolean', jsonPath: '.spec.k8sAuditingEnabled' },
  { name: 'Rules', type: 'integer', jsonPath: '.status.ruleCount' },
  { name: 'Ready', type: 'string', jsonPath: condition('Ready') },
  { name: 'Gateways', type: 'integer', jsonPath: '.status.readyReplicas' },
  { name: 'Receivers', type: 'string', jsonPath: condition('ReceiversHealthy') },
  { name: 'Warned', type: 'string', jsonPath: condition('Warned') },
  AGE,
  { name: 'Warning', type: 'string', jsonPath: condition('Warned', 'message'), priority: 1 },
];

const RULE_COLUMNS: readonly Column[] = [
  { name: 'Ready', type: 'string', jsonPath: condition('Ready') },
  { name: 'Rules', type: 'integer', jsonPath: '.status.ruleCount' },
  { name: 'Active', type: 'integer', jsonPath: '.status.activeRuleCount' },
  { name: 'Errors', type: 'integer', jsonPath: '.status.errorCount' },
  AGE,
  { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message'), priority: 1 },
];

/** What differs from one definition to the other. */
interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: 'Cluster' | 'Namespaced';
  readonly schema: z.ZodType;
  readonly columns: readonly Column[];
}

const KINDS: readonly Kind[] = [
  {
    kind: 'Webhook',
    plural: 'webhooks',
    shortName: 'awh',
    scope: 'Cluster',
    schema: WEBHOOK,
    columns: WEBHOOK_COLUMNS,
  },
  {
    kind: 'Rule',
    plural: 'rules',
    shortName: 'ar',
    scope: 'Namespaced',
    schema: RULE,
    columns: RULE_COLUMNS,
  },
];

const HEADER = '# Generated from libs/kubernetes/crds by `npm run crds`. Do not edit.\n';

/** The CustomResourceDefinitions as YAML, by file name. */
export function definitionFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    KINDS.map((kind) => [
      `${kind.plural}.yaml`,
      HEADER + stringify(definition(kind), { lineWidth: 100, aliasDuplicateObjects: false }),
    ]),
  );
}

function definition({ kind, plural, shortName, scope, schema, columns }: Kind): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: withObjectFields(explained(structuralSchema(schema))) },
        },
      ],
    },
  };
}

/**
 * With the fields below spec in its description. API servers publish no fields of an object that keeps unknown ones in
 * OpenAPI v2, which is all that `kubectl explain` before 1.27 reads: there it would know of nothing below spec.
 */
function explained(schema: StructuralSchema): StructuralSchema {
  const properties = schema['properties'] as Readonly<Record<string, StructuralSchema>>;
  const { spec = {} } = properties;
  const description = `${text(spec['description'])} Fields: ${fieldTexts(spec).join(' ')}`;
  // The description comes first, as everywhere.
  return { ...schema, properties: { ...properties, spec: { ...spec, description } } };
}

/** Each field as `path <type>: what it is.`, those below it after it. */
function fieldTexts(schema: StructuralSchema, path = ''): string[] {
  const { properties } = schema as { properties?: Readonly<Record<string, StructuralSchema>> };
  return Object.entries(properties ?? {}).flatMap(([name, value]) => {
    const { type = 'integer or string', items } = value as {
      type?: string;
      items?: StructuralSchema;
    };
    const at = `${path}${name}`;
    const below = items ? fieldTexts(items, `${at}[].`) : fieldTexts(value, `${at}.`);
    return [`${at} <${type}>: ${text(value['description'])}`, ...below];
  });
}

function text(description: unknown): string {
  return typeof description === 'string' ? description : '';
}

/** Every object has these; Kubernetes describes them itself. */
function withObjectFields(schema: StructuralSchema): StructuralSchema {
  const own = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
  };
  return { ...schema, properties: { ...own, ...(schema['properties'] as object) } };
}

const FIELDS_HEADER = `// Generated from libs/kubernetes/crds by \`npm run crds\`. Do not edit.

/** The fields of an object that are known; one without fields may hold anything. */
export interface KnownFields {
  readonly [name: string]: KnownFields;
}
`;

/** TypeScript that names every field of both specs: the rule engine warns of others. */
export function knownFieldsFile(): string {
  const parts = KINDS.map(({ kind, schema }) => {
    const root = structuralSchema(schema)['properties'] as Record<string, StructuralSchema>;
    const fields = JSON.stringify(knownFields(root['spec'] ?? {}), null, 2);
    return `\n/** Below spec of a ${kind}. */\nexport const ${kind.toUpperCase()}_FIELDS: KnownFields = ${fields};\n`;
  });
  return FIELDS_HEADER + parts.join('');
}

function knownFields(schema: StructuralSchema): object {
  const { items, properties } = schema as { items?: StructuralSchema; properties?: object };
  if (items) return knownFields(items);
  return Object.fromEntries(
    Object.entries((properties ?? {}) as Record<string, StructuralSchema>).map(([name, value]) => [
      name,
      knownFields(value),
    ]),
  );
}
