import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { GrpcTlsConfig } from '../grpc-tls';

/** Signs certificates, and writes them to a folder. */
export interface TestAuthority {
  /** Files of a certificate for localhost that also has these names; the first is the common name. */
  readonly issue: (file: string, names: readonly string[]) => Promise<GrpcTlsConfig>;
}

const EC_P256 = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** A new authority that writes to a folder. */
export async function testAuthority(folder: string): Promise<TestAuthority> {
  // Names of their own: OpenSSL drops connections when two CAs share one.
  const name = `test CA ${randomUUID()}`;
  const root = await generate([{ name: 'commonName', value: name }], {
    ...EC_P256,
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  });
  return {
    async issue(file, names) {
      const [commonName = 'localhost'] = names;
      const pems = await generate([{ name: 'commonName', value: commonName }], {
        ...EC_P256,
        ca: { cert: root.cert, key: root.private },
        extensions: [
          { name: 'basicConstraints', cA: false, critical: true },
          {
            name: 'subjectAltName',
            altNames: ['localhost', ...names].map((value) => ({ type: 2, value })),
          },
        ],
      });
      const write = async (kind: string, pem: string): Promise<string> => {
        const path = join(folder, `${file}-${kind}.pem`);
        await writeFile(path, pem);
        return path;
      };
      return {
        cert: await write('cert', pems.cert),
        key: await write('key', pems.private),
        ca: await write('ca', root.cert),
      };
    },
  };
}
