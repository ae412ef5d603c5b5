import { join, resolve } from 'node:path';
import { admission } from '@auditing/access/admission';
import { openAccess } from '@auditing/access/open-access';
import { openAlert } from '@auditing/alert/service';
import { perConnection } from '@auditing/archive/archive-service';
import { openArchive } from '@auditing/archive/service';
import { openGateway, type Gateway } from '@auditing/gateway/service';
import { AlertServiceService } from '@auditing/proto/alert';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { GatewayServiceService } from '@auditing/proto/gateway';
import { RuleServiceService } from '@auditing/proto/rule';
import { openRule } from '@auditing/rule/service';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import type { Context, Service } from '@auditing/service/service';
import { SETTINGS, type StandaloneConfig } from './config';
import { greeting } from './greeting';

type Standalone = Context<StandaloneConfig>;

/** All four services in this process: they call each other directly, and serve gRPC for tools. */
export const standaloneService: Service<StandaloneConfig> = {
  name: 'standalone',
  settings: SETTINGS,
  adminPort: 9090,
  async setUp(context) {
    const startedAt = performance.now();
    const rule = await openRule(part(context, 'rule'));
    const archive = await openArchive(part(context, 'archive'));
    const alert = await openAlert(part(context, 'alert'), { rule: rule.api });
    const { listen, grpcTls, maxConnectionAgeMs } = context.config.rule;
    const credentials = await openGrpcCredentials(grpcTls, context);
    const access = await openAccess(context.config.rule.access, credentials.isSecure, context);
    const gateway = await openGateway(part(context, 'gateway'), {
      rule: rule.api,
      archive: archive.api,
      alert: alert.api,
    });
    const grpc = await serveGrpc(context, {
      listen,
      maxConnectionAgeMs,
      credentials,
      admit: perConnection(admission(access), archive),
      services: [
        grpcService(RuleServiceService, rule.api),
        grpcService(ArchiveServiceService, archive.api),
        grpcService(AlertServiceService, alert.api),
        grpcService(GatewayServiceService, gateway.api),
      ],
    });
    const startMs = Math.round(performance.now() - startedAt);
    await greet(context, { gateway, rule: rule.api, grpc, startMs });
    return {
      addresses: { ...gateway.addresses, rule: grpc, archive: grpc, alert: grpc },
      async ready() {
        await Promise.all([rule.ready(), alert.ready(), gateway.ready()]);
      },
    };
  },
};

/** The context of one app: its own settings, its name in every log line. */
function part<Name extends keyof StandaloneConfig>(
  context: Standalone,
  name: Name,
): Context<StandaloneConfig[Name]> {
  return { ...context, config: context.config[name], log: context.log.child({ app: name }) };
}

interface Opened {
  readonly gateway: Gateway;
  readonly rule: Api<typeof RuleServiceService>;
  readonly grpc: string;
  readonly startMs: number;
}

/** Human words go to stderr: stdout has the ready line alone. */
async function greet({ config, stopping }: Standalone, opened: Opened): Promise<void> {
  const { gateway, rule, grpc, startMs } = opened;
  const { rules } = await rule.listRules({}, stopping);
  const { diagnostics } = await rule.getRuleSet({}, stopping);
  const { dataDir } = config.rule;
  const text = greeting(
    {
      webhookUrl: gateway.addresses.webhook,
      apiUrl: gateway.addresses.api,
      grpcAddress: grpc,
      dataDir: resolve(dataDir),
      configDir: resolve(config.rule.configDir),
      caFile: gateway.caCert && resolve(join(dataDir, 'gateway/tls/ca.crt')),
      rules,
      remarks: diagnostics.map(({ resource, path, message }) => `${resource} ${path}: ${message}`),
      startMs,
    },
    process.stderr.isTTY,
  );
  process.stderr.write(text);
}
