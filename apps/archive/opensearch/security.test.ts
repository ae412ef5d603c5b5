import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readSettings } from '@auditing/service/settings';
import { testAuthority, type TestAuthority } from '@auditing/service/testing/authority';
import { status } from '@grpc/grpc-js';

import { SETTINGS, type ArchiveConfig } from '../config';
import { batchOf, eventBytes } from '../testing/batches';
import { startFaultProxy, type FaultProxy } from '../testing/fault-proxy';
import {
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  removeIndices,
} from '../testing/opensearch';
import { connect } from './connect';
import { readEndpoint } from './read-endpoint';

jest.setTimeout(300_000);

const PASSWORD = 'p@ss:word/ä';

describeWithOpensearch('a cluster with TLS and passwords', () => {
  const prefix = ownPrefix();
  let folder: string;
  let authority: TestAuthority;
  let proxy: FaultProxy;
  let user: { cert: string; key: string; ca: string };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'opensearch-'));
    authority = await testAuthority(folder);
    const server = (await authority.issue('server', ['localhost'])) as typeof user;
    user = (await authority.issue('user', ['archive'])) as typeof user;
    proxy = await startFaultProxy({
      cert: readFileSync(server.cert),
      key: readFileSync(server.key),
      ca: readFileSync(server.ca),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const wanted = `Basic ${Buffer.from(`auditing:${PASSWORD}`).toString('base64')}`;
    proxy.faults.request = (_method, _path, { authorization }) =>
      authorization === wanted ? undefined : { status: 401, type: 'security_exception' };
  });

  afterAll(async () => {
    await proxy.down();
    await rm(folder, { recursive: true });
    await removeIndices(prefix);
  });

  /** What an Append of one event gives with these settings. */
  async function append(env: Record<string, string>): Promise<unknown> {
    const { opensearch } = readSettings<ArchiveConfig>(SETTINGS, env);
    const engine = openOpensearch({ prefix, opensearch: connect(await readEndpoint(opensearch)) });
    const sent = await batchOf([eventBytes({})]);
    try {
      return await engine.append(sent, 0n);
    } finally {
      await engine.close();
    }
  }

  const url = (): string => proxy.url.replace('127.0.0.1', 'localhost');
  const tls = (): Record<string, string> => ({
    AUDITING_OPENSEARCH_URL: url(),
    AUDITING_OPENSEARCH_TLS_CA: user.ca,
    AUDITING_OPENSEARCH_TLS_CERT: user.cert,
    AUDITING_OPENSEARCH_TLS_KEY: user.key,
  });
  const login = {
    AUDITING_OPENSEARCH_USERNAME: 'auditing',
    AUDITING_OPENSEARCH_PASSWORD: PASSWORD,
  };

  test('takes events by client certificate and password, past a node that is away', async () => {
    expect(await append({ ...tls(), ...login })).toMatchObject({ archivedCount: 1 });
    const nodes = `https://localhost:1,${url()}`;
    const env = { ...tls(), ...login, AUDITING_OPENSEARCH_URL: nodes };
    expect(await append(env)).toMatchObject({ archivedCount: 1 });
  });

  test('takes a password out of the URL, and never shows it', async () => {
    const secret = `auditing:${encodeURIComponent(PASSWORD)}@`;
    const withLogin = url().replace('https://', `https://${secret}`);
    expect(await append({ ...tls(), AUDITING_OPENSEARCH_URL: withLogin })).toMatchObject({
      archivedCount: 1,
    });
    const away = `https://${secret}localhost:1`;
    const failing = append({ ...tls(), AUDITING_OPENSEARCH_URL: away });
    await expect(failing).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await failing.catch((error: unknown) => {
      expect(String(error)).not.toContain('word');
    });
  });

  test('refuses a wrong password, a client without certificate, and is refused with another CA', async () => {
    const wrong = { ...tls(), ...login, AUDITING_OPENSEARCH_PASSWORD: 'other' };
    await expect(append(wrong)).rejects.toThrow(/AUDITING_OPENSEARCH_PASSWORD/);
    const { AUDITING_OPENSEARCH_TLS_CA: ca = '' } = tls();
    const anonymous = { AUDITING_OPENSEARCH_URL: url(), AUDITING_OPENSEARCH_TLS_CA: ca, ...login };
    await expect(append(anonymous)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const others = (await (await testAuthority(folder)).issue('other', ['x'])) as typeof user;
    const untrusted = { ...tls(), ...login, AUDITING_OPENSEARCH_TLS_CA: others.ca };
    await expect(append(untrusted)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test('half a client certificate stops the start', async () => {
    const half = { AUDITING_OPENSEARCH_URL: url(), AUDITING_OPENSEARCH_TLS_CERT: user.cert };
    await expect(append(half)).rejects.toThrow(/set both/);
  });
});
