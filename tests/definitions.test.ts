import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Severity } from '@auditing/proto/rule';
import { buildRuleSet, type Resource } from '@auditing/rule-engine/rule-set';
import { parse } from 'yaml';

const ROOT = join(__dirname, '..');

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

interface Definition {
  readonly spec: {
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }];
  };
}

const read = (path: string): unknown => parse(readFileSync(join(ROOT, path), 'utf8'));

function schemaOf(plural: string): Schema {
  const definition = read(`k8s/crds/${plural}.yaml`) as Definition;
  return definition.spec.versions[0].schema.openAPIV3Schema;
}

/** Every schema below one, by path. */
function* below(schema: Schema, path = ''): Generator<readonly [string, Schema]> {
  yield [path, schema];
  for (const [name, one] of Object.entries(schema.properties ?? {}))
    yield* below(one, `${path}.${name}`);
  if (schema.items) yield* below(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* below(schema.additionalProperties, `${path}{}`);
}

describe.each(['webhooks', 'rules'])('the definition of %s', (plural) => {
  const nodes = [...below(schemaOf(plural))];
  const spec = nodes.filter(([path]) => path.startsWith('.spec'));

  test('is structural', () => {
    const untyped = nodes.filter(
      ([, schema]) => schema.type === undefined && !schema['x-kubernetes-int-or-string'],
    );
    expect(untyped).toEqual([]);
    const banned = ['anyOf', 'oneOf', 'allOf', 'not', '$ref', 'uniqueItems', '$schema'];
    expect(JSON.stringify(nodes)).not.toMatch(new RegExp(`"(${banned.join('|')})":`));
  });

  test('says of every field what it is', () => {
    const silent = nodes.filter(
      ([path, { description }]) =>
        path !== '' && !/[\]}]$|^\.(apiVersion|kind|metadata)$/.test(path) && !description,
    );
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test('refuses no value of an old field and fills in none, and keeps fields that it does not know', () => {
    expect(JSON.stringify(spec)).not.toMatch(/"(enum|default|required|minimum|maximum|pattern)":/);
    const closed = spec.filter(
      ([, schema]) => schema.properties && !schema['x-kubernetes-preserve-unknown-fields'],
    );
    expect(closed.map(([path]) => path)).toEqual([]);
  });
});

test('the example of the manual has known fields, and is told that it archives nothing and what to write', () => {
  const folder = join(ROOT, 'k8s/base/rules');
  const rules = readdirSync(folder).map((name) => read(`k8s/base/rules/${name}`) as Resource);
  const webhook = read('tests/testdata/seed-webhook.yaml') as Resource;
  const { diagnostics } = buildRuleSet({ rules, webhook });
  const own = diagnostics.filter(({ resource }) => resource.startsWith('Webhook/'));
  expect(own).toMatchObject([
    {
      severity: Severity.WARNING,
      path: 'spec.auditSinkPolicy.archivingRuleSelector',
      message: expect.stringMatching(
        /type=persistence picks no Rule.*write matchLabels \{type: archiving\}/,
      ) as string,
    },
  ]);
});

test.each(['webhooks', 'rules'])(
  'the description of spec of %s names every field: before 1.27 kubectl explain shows nothing below it',
  (plural) => {
    const { description = '', ...spec } = schemaOf(plural).properties?.['spec'] ?? {};
    const paths = [...below(spec)].map(([path]) => path.slice(1));
    const fields = paths.filter((path) => path !== '' && !/[\]}]$/.test(path));
    expect(fields.length).toBeGreaterThan(8);
    for (const path of fields) expect(description).toContain(` ${path} <`);
  },
);
