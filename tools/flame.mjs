// Prints a CPU profile as a flame graph made of text: who calls whom, and what share of the time each takes.
//
//   node --cpu-prof --cpu-prof-dir FOLDER apps/standalone/dist/main.js
//   npm run flame -- FOLDER/NAME.cpuprofile [--min PERCENT] [--depth CALLS]
//
// Time in which the process had nothing to do is left out; chains of calls that share their time are one line.
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const BAR_WIDTH = 20;
/** A caller and what it calls are one line if they differ by less than this share of all. */
const SAME_SHARE = 0.002;
const IDLE = new Set(['(idle)', '(program)']);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    min: { type: 'string', default: '1' },
    depth: { type: 'string', default: '60' },
  },
});
const minShare = Number(options.min) / 100;
const maxDepth = Number(options.depth);
if (positionals.length !== 1 || !(minShare > 0) || !(maxDepth > 0)) {
  console.error('usage: npm run flame -- FILE.cpuprofile [--min PERCENT] [--depth CALLS]');
  process.exit(2);
}

const profile = JSON.parse(readFileSync(positionals[0], 'utf8'));
const nodes = new Map(profile.nodes.map((node) => [node.id, { ...node, selfUs: 0 }]));
profile.samples.forEach((id, index) => {
  const node = nodes.get(id);
  if (!IDLE.has(node.callFrame.functionName)) node.selfUs += profile.timeDeltas[index];
});
const maps = new Map();
const [root] = profile.nodes;
const all = merged([nodes.get(root.id)]);
console.log(`${(all.us / 1000).toFixed(0)} ms of CPU, calls from ${options.min} % on\n`);
print(all, 0);

/** Calls of one function from one place, with all that they call. */
function merged(calls) {
  const called = new Map();
  let us = 0;
  for (const { selfUs, children = [] } of calls) {
    us += selfUs;
    for (const id of children) {
      const child = nodes.get(id);
      const name = nameOf(child.callFrame);
      called.set(name, [...(called.get(name) ?? []), child]);
    }
  }
  const children = [...called].map(([name, those]) => ({ name, ...merged(those) }));
  us += children.reduce((sum, child) => sum + child.us, 0);
  children.sort((a, b) => b.us - a.us);
  return { us, children };
}

function print({ children }, depth) {
  if (depth >= maxDepth) return;
  for (const child of children) {
    const share = child.us / all.us;
    if (share < minShare) return;
    const [names, last] = chain(child);
    const bar = '█'.repeat(Math.max(1, Math.round(share * BAR_WIDTH))).padEnd(BAR_WIDTH);
    console.log(`${bar} ${(share * 100).toFixed(1).padStart(5)} ${'  '.repeat(depth)}${names}`);
    print(last, depth + 1);
  }
}

/** A call and those below it that take all of its time. */
function chain(call) {
  const names = [call.name];
  let last = call;
  for (;;) {
    const [first] = last.children;
    if (!first || (last.us - first.us) / all.us > SAME_SHARE) return [names.join(' > '), last];
    names.push(first.name);
    last = first;
  }
}

/** Function and file, that of the source if the bundle has a map. */
function nameOf({ functionName, url, lineNumber, columnNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  if (!url.startsWith('file:')) return `${name} ${url}`;
  const path = fileURLToPath(url);
  const source = mapOf(path)?.findEntry(lineNumber, columnNumber)?.originalSource;
  const file = source ?? relative(process.cwd(), path);
  return `${name} ${file.replace(/^(\.\.\/)+/, '').replace(/^.*node_modules\//, '')}`;
}

function mapOf(path) {
  if (!maps.has(path)) {
    const file = `${path}.map`;
    const map = existsSync(file)
      ? new SourceMap(JSON.parse(readFileSync(file, 'utf8')))
      : undefined;
    maps.set(path, map);
  }
  return maps.get(path);
}
