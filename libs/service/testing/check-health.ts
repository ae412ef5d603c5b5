import { promisify } from 'node:util';
import { Client } from '@grpc/grpc-js';
import { HealthService } from '@auditing/proto/health';
import type { GrpcCredentials } from '../grpc-tls';

/** Asks a server that is reached by another name than that of its certificate; rejects if they do not trust each other. */
export async function checkHealth(
  target: string,
  serverName: string,
  credentials: GrpcCredentials,
): Promise<void> {
  const client = new Client(target, credentials.client, {
    'grpc.ssl_target_name_override': serverName,
  });
  const { path, requestSerialize, responseDeserialize } = HealthService.check;
  const request = { service: '' };
  await promisify((done: (error: Error | null) => void) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done);
  })().finally(() => client.close());
}
