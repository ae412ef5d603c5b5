import { status } from '@grpc/grpc-js';
import type { GatewayServiceService } from '@auditing/proto/gateway';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { quoted } from './api-error';
import { isSenderUrl, SENDER_LEVELS, senderFiles } from './sender-files';

/** The webhook, as far as senders need to know it. */
export interface SenderTarget {
  readonly url: string;
  /** PEM; undefined where it is not known. */
  readonly caCert: string | undefined;
}

/** What tools ask a gateway for over gRPC. `target` is asked when somebody asks: the webhook opens last. */
export function gatewayApi(target: () => Promise<SenderTarget>): Api<typeof GatewayServiceService> {
  return {
    async senderFiles(request) {
      const { url, caCert } = await target();
      const address = request.address || url;
      if (!isSenderUrl(address))
        throw new RpcError(
          status.INVALID_ARGUMENT,
          `address: expected an http or https URL without a query, such as ${url}, got ${quoted(address)}`,
        );
      const level = SENDER_LEVELS.get(request.level || 'Metadata');
      if (level === undefined)
        throw new RpcError(
          status.INVALID_ARGUMENT,
          `level: expected ${[...SENDER_LEVELS.keys()].join(', ')}, got ${quoted(request.level)}`,
        );
      return { files: [...senderFiles({ url: address, caCert, level })] };
    },
  };
}
