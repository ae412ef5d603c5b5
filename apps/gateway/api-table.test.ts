import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIELD_NAMES } from './own-query';
import { Field } from '@auditing/proto/event';
import { deadLetterRoutes } from './dead-letter-routes';
import { probeRoutes } from './probe-routes';
import { senderFileRoutes } from './sender-file-routes';
import { routeName } from './api-route';
import { apiRoutes } from './query-api';

// Nobody is asked anything here.
const NOTHING = {} as never;
const ROUTES = apiRoutes([
  ...deadLetterRoutes(NOTHING),
  ...probeRoutes(NOTHING),
  ...senderFileRoutes(() => Promise.resolve({ url: '', caCert: undefined })),
]);
const asked = ROUTES.filter(({ need }) => need !== 'open');

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: object;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<string, { parameters: (Parameter | { $ref: string })[]; responses: object }>
  >;
  readonly components: { parameters: Record<string, Parameter>; schemas: Record<string, object> };
}

async function documentOf(): Promise<Document> {
  const route = ROUTES.find(({ path }) => path.endsWith('/openapi.json'));
  const answer = await route?.answer(undefined as never);
  return JSON.parse(JSON.stringify(answer?.body)) as Document;
}

describe('the OpenAPI document', () => {
  test('has every route, and nothing else', async () => {
    const { openapi, paths } = await documentOf();
    expect(openapi).toBe('3.1.0');
    const patterns = asked.map(
      ({ method = 'GET', path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`,
    );
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual([...patterns].sort());
  });

  test('names each parameter of a question once, those of its path as required', async () => {
    const { paths, components } = await documentOf();
    const operations = Object.entries(paths).flatMap(([path, of]) =>
      Object.values(of).map((one) => [path, one] as const),
    );
    for (const [path, operation] of operations) {
      const parameters = operation.parameters.map((one) =>
        '$ref' in one ? components.parameters[one.$ref.split('/').at(-1) ?? '']! : one,
      );
      const names = parameters.map((one) => `${one.in} ${one.name}`);
      expect(names).toEqual([...new Set(names)]);
      const inPath = parameters.filter((one) => one.in === 'path');
      expect(inPath.map(({ name, required }) => [name, required])).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, true]),
      );
    }
  });

  test('refers to nothing that it does not have', async () => {
    const document = await documentOf();
    const references = JSON.stringify(document).matchAll(/"#\/components\/(\w+)\/([^"]+)"/g);
    for (const [, kind = '', name = ''] of references) {
      const components = document.components as unknown as Record<string, object>;
      expect(components[kind]).toHaveProperty([name]);
    }
  });

  test('every field of an event can be asked for', () => {
    const all = Object.values(Field).filter((one): one is Field => typeof one === 'number');
    const fields = all.filter((one) => one > Field.UNSPECIFIED);
    expect([...FIELD_NAMES.values()].sort()).toEqual(fields.sort());
  });
});

test('docs/access.md has every route with what it needs, once', () => {
  const text = readFileSync(join(__dirname, '../../docs/access.md'), 'utf8');
  const rows = [
    ...text.matchAll(/^\| `((?:POST |DELETE )?(?:\/|\/(?:apis|kapis)\/[^`]+))` +\| ([^|]+?) +\|/gm),
  ];
  expect(rows.map(([, path, need]) => [path, need]).sort()).toEqual(
    ROUTES.map((route) => [routeName(route), route.need]).sort(),
  );
});
