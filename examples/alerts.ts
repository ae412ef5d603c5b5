// Lists and watches alerts, and looks after their receivers. Run it with
//   npm run example -- alerts list [RULE]          the newest alerts and how far they are on their way
//   npm run example -- alerts watch [RULE]         alerts as they are raised and delivered, until Ctrl-C
//   npm run example -- alerts receivers            the receivers and how they fare
//   npm run example -- alerts test RECEIVER        sends a test alert and says how far it got
//   npm run example -- alerts probe                sends a probe alert to all receivers, through the outbox
//   npm run example -- alerts dead [RECEIVER]      deliveries that were given up
//   npm run example -- alerts redrive RECEIVER     sends them anew
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import {
  AlertServiceClient,
  DeadLettersRequest,
  DeliveryState,
  HopStep,
  ListRequest,
  type AlertStatus,
  type DeadLettersResponse,
  type ListReceiversResponse,
  type ProbeRequest,
  type ProbeResponse,
  type RedriveDeadLettersRequest,
  type RedriveDeadLettersResponse,
  type ListResponse,
  type TestReceiverRequest,
  type TestReceiverResponse,
} from '@auditing/proto/alert';

/** Where the alert service listens: `alert` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

type Print = (line: string) => void;
type Command = (client: AlertServiceClient, name: string, print: Print) => Promise<void>;

const COMMANDS: Readonly<Record<string, Command>> = {
  list,
  watch,
  receivers,
  test,
  probe,
  dead,
  redrive,
};

export async function main(
  [command = 'list', name = '']: readonly string[],
  print: Print,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (run === undefined) {
    throw new Error(`expected ${Object.keys(COMMANDS).join(', ')}, got "${command}"`);
  }
  const client = new AlertServiceClient(address, credentials.createInsecure());
  try {
    await run(client, name, print);
  } finally {
    client.close();
  }
}

async function list(client: AlertServiceClient, rule: string, print: Print): Promise<void> {
  const ask = promisify<ListRequest, ListResponse>(client.list.bind(client));
  const { alerts } = await ask(ListRequest.fromPartial({ rule }));
  for (const alert of alerts) print(inOneLine(alert));
  if (alerts.length === 0) print('no alerts yet: npm run samples sends some that raise them');
}

async function watch(client: AlertServiceClient, rule: string, print: Print): Promise<void> {
  const call = client.watch({ rule });
  for await (const alert of call as AsyncIterable<AlertStatus>) print(inOneLine(alert));
}

async function receivers(client: AlertServiceClient, _: string, print: Print): Promise<void> {
  const ask = promisify<object, ListReceiversResponse>(client.listReceivers.bind(client));
  const found = await ask({});
  for (const { name, type, pendingCount, lastError } of found.receivers) {
    print(`${name} (${type || 'gone'}): ${pendingCount} wait${lastError && `; ${lastError}`}`);
  }
  if (found.receivers.length === 0) print('no receiver is configured');
}

async function test(client: AlertServiceClient, receiver: string, print: Print): Promise<void> {
  const ask = promisify<TestReceiverRequest, TestReceiverResponse>(
    client.testReceiver.bind(client),
  );
  const { hops, accepted } = await ask({ receiver });
  for (const { instance, step, ok, detail, durationUs } of hops) {
    const where = [instance, HopStep[step]].filter((one) => one !== '').join(' ');
    print(`${ok ? 'ok  ' : 'FAIL'} ${where}: ${detail} (${durationUs} us)`);
  }
  print(accepted ? 'the test alert was taken' : 'nobody took the test alert');
}

async function probe(client: AlertServiceClient, receiver: string, print: Print): Promise<void> {
  const ask = promisify<ProbeRequest, ProbeResponse>(client.probe.bind(client));
  const { alert, delivered } = await ask({ receiver, waitMs: 10_000 });
  if (alert) print(inOneLine(alert));
  print(delivered ? 'every receiver took it' : 'not every receiver has taken it yet');
}

async function dead(client: AlertServiceClient, receiver: string, print: Print): Promise<void> {
  const ask = promisify<DeadLettersRequest, DeadLettersResponse>(client.deadLetters.bind(client));
  const { deadLetters, totalCount } = await ask(DeadLettersRequest.fromPartial({ receiver }));
  for (const { alert, delivery } of deadLetters) {
    print(`${delivery?.receiver}: ${alert?.alert?.message}: ${delivery?.lastError}`);
  }
  print(`${totalCount} dead letters in all`);
}

async function redrive(client: AlertServiceClient, receiver: string, print: Print): Promise<void> {
  const ask = promisify<RedriveDeadLettersRequest, RedriveDeadLettersResponse>(
    client.redriveDeadLetters.bind(client),
  );
  const { redrivenCount } = await ask({ selection: { ids: [], receiver } });
  print(`${redrivenCount} are sent anew`);
}

function inOneLine({ alert, deliveries }: AlertStatus): string {
  const sent = deliveries.map(({ receiver, state }) => `${receiver}: ${DeliveryState[state]}`);
  const where = sent.length > 0 ? sent.join(', ') : 'no receiver';
  return `${alert?.rule ?? ''} ${JSON.stringify(alert?.message ?? '')} (${where})`;
}
