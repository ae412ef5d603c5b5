import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const ROOT = join(__dirname, '..');
const GROUP = 'auditing.kubesphere.io';

interface Manifest {
  /** Patches have none. */
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly resources?: readonly string[];
  readonly spec?: Readonly<Record<string, unknown>>;
}

const files = ['k8s', 'config'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith('.yaml')),
);

/** The first document of a file. */
const read = (file: string): Manifest =>
  parseAllDocuments(readFileSync(join(ROOT, file), 'utf8'))[0]?.toJS() as Manifest;

test.each(files)('%s is well-formed', (file) => {
  const documents = parseAllDocuments(readFileSync(join(ROOT, file), 'utf8'));
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  // A list is a patch.
  const manifests = documents
    .map((one) => one.toJS() as unknown)
    .filter((one) => !Array.isArray(one));
  for (const manifest of manifests)
    expect(manifest).toMatchObject({
      apiVersion: expect.any(String) as string,
      kind: expect.any(String) as string,
    });
});

test.each(files.filter((file) => file.endsWith('kustomization.yaml')))(
  '%s names only what is there',
  (file) => {
    for (const resource of read(file).resources ?? [])
      expect(readdirSync(dirname(join(ROOT, dirname(file), resource))).length).toBeGreaterThan(0);
  },
);

test('a cluster gets the same rules as a laptop', () => {
  const names = readdirSync(join(ROOT, 'config/rules'));
  expect(readdirSync(join(ROOT, 'k8s/base/rules'))).toEqual(names);
  const { configMapGenerator } = read('k8s/base/kustomization.yaml') as unknown as {
    configMapGenerator: { files: string[] }[];
  };
  expect(configMapGenerator[0]?.files.sort()).toEqual(
    ['webhook.yaml', ...names.map((name) => `rules/${name}`)].sort(),
  );
  for (const name of names)
    expect(read(`k8s/base/rules/${name}`)).toEqual(read(`config/rules/${name}`));
});

test('a cluster keeps the documented defaults, a laptop keeps all there is', () => {
  expect(read('k8s/base/webhook.yaml').spec).toMatchObject({
    auditLevel: 'Metadata',
    k8sAuditingEnabled: false,
  });
  expect(read('config/webhook.yaml').spec).toMatchObject({
    auditLevel: 'RequestResponse',
    k8sAuditingEnabled: true,
  });
});

test('every resource of a cluster is of a kind that a definition describes, with fields that it names', () => {
  const resources = files.filter((name) => read(name).apiVersion?.startsWith(GROUP));
  for (const file of resources.filter((name) => read(name).kind !== 'RuleTest')) {
    const { kind, spec = {} } = read(file);
    const definition = read(`k8s/crds/${kind.toLowerCase()}s.yaml`) as unknown as Definition;
    expect(definition.spec).toMatchObject({ group: GROUP, names: { kind } });
    const [version] = definition.spec.versions;
    const known = version?.schema.openAPIV3Schema.properties.spec.properties ?? {};
    expect(Object.keys(known)).toEqual(expect.arrayContaining(Object.keys(spec)));
  }
});

interface Definition {
  readonly spec: {
    readonly versions: readonly {
      readonly schema: {
        readonly openAPIV3Schema: {
          readonly properties: { readonly spec: { readonly properties: object } };
        };
      };
    }[];
  };
}
