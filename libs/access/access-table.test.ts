import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AlertServiceService } from '@auditing/proto/alert';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { GatewayServiceService } from '@auditing/proto/gateway';
import { HealthService } from '@auditing/proto/health';
import { RuleServiceService } from '@auditing/proto/rule';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { RPC_NEEDS } from './needs';

const SERVICES: readonly ServiceDefinition[] = [
  ArchiveServiceService,
  RuleServiceService,
  AlertServiceService,
  GatewayServiceService,
  HealthService,
];
const REFLECTION = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

/** Rows of docs/access.md whose first cell is the path of a call. */
function documented(): [string, string][] {
  const text = readFileSync(join(__dirname, '../../docs/access.md'), 'utf8');
  return [...text.matchAll(/^\| `(\/(?:auditing|grpc)\.[^`]+)` +\| ([^|]+?) +\|/gm)].map(
    ([, path = '', need = '']) => [path, need],
  );
}

test('every call of every service has a need', () => {
  const paths = SERVICES.flatMap((service) => Object.values(service).map(({ path }) => path));
  expect([...paths, ...REFLECTION].sort()).toEqual(Object.keys(RPC_NEEDS).sort());
});

test('docs/access.md says of each call what it needs, once', () => {
  expect(documented().sort()).toEqual(Object.entries(RPC_NEEDS).sort());
});
