// Prints what kube-apiserver and Kube AI Hub need to send their events to a running gateway, or writes it to a folder.
//
//   npm run sender-files -- [--api URL] [--token TOKEN] [--address URL] [--level LEVEL] [--to FOLDER]
//
// --address is the webhook as senders reach it; LEVEL is Metadata, Request or RequestResponse.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    api: { type: 'string', default: 'http://127.0.0.1:8080' },
    token: { type: 'string' },
    address: { type: 'string', default: '' },
    level: { type: 'string', default: 'Metadata' },
    to: { type: 'string' },
  },
});

const url = new URL('/apis/query.auditing.kubesphere.io/v1alpha1/sender-files', options.api);
url.searchParams.set('level', options.level);
if (options.address !== '') url.searchParams.set('address', options.address);
const response = await fetch(url, {
  headers: options.token ? { Authorization: `Bearer ${options.token}` } : {},
}).catch((error) => {
  console.error(`no gateway answers at ${options.api}: ${error.cause?.message ?? error.message}`);
  process.exit(1);
});
if (!response.ok) {
  console.error(`${response.status}: ${await response.text()}`);
  process.exit(1);
}
const { files } = await response.json();
for (const { path, purpose, text } of files) {
  if (options.to === undefined) {
    console.log(`# ${path}\n# ${purpose}\n\n${text}`);
    continue;
  }
  mkdirSync(options.to, { recursive: true });
  const name = path.startsWith('/') ? path.slice(1).replaceAll('/', '_') : nameOf(path);
  writeFileSync(join(options.to, name), `# ${path}\n# ${purpose}\n\n${text}`);
  console.log(join(options.to, name));
}

function nameOf(path) {
  return `${path.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.yaml`;
}
