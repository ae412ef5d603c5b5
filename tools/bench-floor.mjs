// The floor: koa over TLS that reads the body and runs one JSON.parse on it. On any other path it only reads.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import Koa from 'koa';

const [tlsFolder] = process.argv.slice(2);
const app = new Koa();
app.use(async (ctx) => {
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (ctx.path === '/parse') JSON.parse(body.toString());
  ctx.body = '""';
});
const server = createServer(
  {
    cert: readFileSync(join(tlsFolder, 'tls.crt')),
    key: readFileSync(join(tlsFolder, 'tls.key')),
    ALPNProtocols: ['http/1.1'],
  },
  app.callback(),
);
server.listen(0, '127.0.0.1', () =>
  console.log(
    `ready ${JSON.stringify({ webhook: `https://127.0.0.1:${server.address().port}/parse` })}`,
  ),
);
process.on('SIGTERM', () => process.exit());
