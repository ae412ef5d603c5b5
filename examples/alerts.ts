// Lists and watches alerts. Run it with
//   npm run example -- alerts list [RULE]     the newest alerts and how far they are on their way
//   npm run example -- alerts watch [RULE]    alerts as they are raised and delivered, until Ctrl-C
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import {
  AlertServiceClient,
  DeliveryState,
  ListRequest,
  type AlertStatus,
  type ListResponse,
} from '@auditing/proto/alert';

/** Where the alert service listens: `alert` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

export async function main(
  [command = 'list', rule = '']: readonly string[],
  print: (line: string) => void,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const client = new AlertServiceClient(address, credentials.createInsecure());
  try {
    if (command === 'list') {
      const list = promisify<ListRequest, ListResponse>(client.list.bind(client));
      const { alerts } = await list(ListRequest.fromPartial({ rule }));
      for (const alert of alerts) print(inOneLine(alert));
      if (alerts.length === 0) print('no alerts yet: npm run samples sends some that raise them');
    } else if (command === 'watch') {
      const call = client.watch({ rule });
      for await (const alert of call as AsyncIterable<AlertStatus>) print(inOneLine(alert));
    } else throw new Error(`expected list or watch, got "${command}"`);
  } finally {
    client.close();
  }
}

function inOneLine({ alert, deliveries }: AlertStatus): string {
  const sent = deliveries.map(({ receiver, state }) => `${receiver}: ${DeliveryState[state]}`);
  const where = sent.length > 0 ? sent.join(', ') : 'no receiver';
  return `${alert?.rule ?? ''} ${JSON.stringify(alert?.message ?? '')} (${where})`;
}
