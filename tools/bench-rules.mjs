// What rules cost: CPU time an event, and its ratio to one JSON.parse of the same event in the same run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cpuOf, shown, spread } from './bench-figures.mjs';

const RULE_COUNTS = [20, 100, 500, 1000, 2000];
const QUICK_RULE_COUNTS = [20, 100];
/** Above the size of a batch, so that no rule set lives off the last few values alone. */
const MAX_EVENTS = 12_000;
const QUICK_EVENTS = 2_000;
const MODULES = {
  buildRuleSet: '@auditing/rule-engine/rule-set',
  compileRegularExpression: '@auditing/rule-engine/regular-expression',
  compileValueTest: '@auditing/rule-engine/value-test',
  decodeEvent: '@auditing/audit-event/decoded-event',
  splitBody: '@auditing/audit-event/split-body',
  buildColumns: '@auditing/audit-event/columns',
  ColumnEvent: '@auditing/audit-event/columns',
  ColumnTable: '@auditing/audit-event/columns',
};

export async function benchRules({ root, quick, figures, load, print }) {
  const engine = await load(MODULES);
  const rounds = quick ? 3 : 11;
  const events = corpus(engine, root, quick ? QUICK_EVENTS : MAX_EVENTS);
  const vocabulary = vocabularyOf(engine, events);
  const groups = [
    ['Metadata', events.filter(({ isMetadata }) => isMetadata)],
    ...(quick ? [] : [['all levels', events]]),
  ].filter(([, some]) => some.length > 0);

  const first = compile(engine, ruleSetOf(500, vocabulary));
  for (const [group, some] of groups) {
    print(
      `\n${group}: ${some.length} events, median of ${rounds} rounds (lowest to highest), CPU time`,
    );
    print('rules   us/event  of JSON.parse       in columns         JSON.parse us   matches/event');
    for (const count of quick ? QUICK_RULE_COUNTS : RULE_COUNTS) {
      const ruleSet = engine.buildRuleSet(ruleSetOf(count, vocabulary));
      const figure = measureRules(engine, ruleSet, { some, rounds });
      const name = `rules_${count}${group === 'Metadata' ? '' : '_all_levels'}`;
      figures.set(`${name}_us`, figure.us);
      figures.add(`${name}_ratio`, figure.ratio);
      figures.add(`${name}_in_columns_ratio`, figure.columnsRatio);
      print(
        [
          String(count).padStart(5),
          figure.us.toFixed(2).padStart(10),
          shown(figure.ratio).padStart(22),
          shown(figure.columnsRatio).padStart(22),
          figure.parseUs.toFixed(2).padStart(10),
          figure.matches.toFixed(1).padStart(12),
        ].join(' '),
      );
    }
  }

  const warm = spread(
    // Other rules each time: what is remembered of one set must not make the next one cheap.
    Array.from({ length: rounds }, (_, round) =>
      compile(engine, ruleSetOf(500, vocabulary, round + 1)),
    ),
  );
  figures.set('rules_500_first_compile_ms', first);
  figures.add('rules_500_compile_ms', warm);
  print(`\ncompiling 500 rules: first ${first.toFixed(0)} ms, then ${shown(warm)} ms`);
  const patterns = measurePatterns(engine, { events, rounds });
  print('\na regular expression on the user agents of all events, us an event');
  for (const { engine: name, ...figure } of patterns)
    print(`${name.padEnd(20)} ${shown(figure.us)}`);
}

/** A Rule resource with so many rules as people write them, all of which look at events like those of the corpus. */
export async function ruleResourceOf({ root, load }, count) {
  const engine = await load(MODULES);
  const vocabulary = vocabularyOf(engine, corpus(engine, root, QUICK_EVENTS));
  const [resource] = ruleSetOf(count, vocabulary).rules;
  return {
    apiVersion: 'auditing.kubesphere.io/v1alpha1',
    kind: 'Rule',
    ...resource,
    metadata: { ...resource.metadata, namespace: 'kubesphere-logging-system' },
  };
}

/** Evaluates fresh events in each round, turn about with JSON.parse, so that both see the same machine. */
function measureRules(engine, ruleSet, { some, rounds }) {
  const { decodeEvent, buildColumns, ColumnEvent, ColumnTable } = engine;
  const times = { rules: [], columns: [], parse: [] };
  let matches = 0;
  for (let round = -1; round < rounds; round += 1) {
    const decoded = some.map(({ bytes, source }) => decodeEvent(bytes, source));
    const columns = buildColumns(decoded, ruleSet.projection.fields);
    matches = 0;
    const rules = cpuOf(() => {
      for (const event of decoded) matches += ruleSet.evaluate(event)?.findings.length ?? 0;
    });
    const inColumns = cpuOf(() => {
      const table = new ColumnTable(columns);
      for (const [row, event] of decoded.entries())
        ruleSet.evaluate(new ColumnEvent(table, row, event.bytes));
    });
    const parse = cpuOf(() => {
      for (const { text } of some) JSON.parse(text);
    });
    // The first round warms up and is not counted.
    if (round < 0) continue;
    times.rules.push(rules);
    times.columns.push(inColumns);
    times.parse.push(parse);
  }
  const ofParse = (list) => spread(list.map((ms, round) => ms / times.parse[round]));
  const perEvent = (ms) => (ms * 1000) / some.length;
  return {
    us: perEvent(spread(times.rules).median),
    parseUs: perEvent(spread(times.parse).median),
    ratio: ofParse(times.rules),
    columnsRatio: ofParse(times.columns),
    matches: matches / some.length,
  };
}

function compile(engine, resources) {
  const begun = performance.now();
  const ruleSet = engine.buildRuleSet(resources);
  const ms = performance.now() - begun;
  if (ruleSet.diagnostics.some(({ severity }) => severity === 1))
    throw new Error(ruleSet.diagnostics[0].message);
  return ms;
}

/** re2js alone, re2js as rules use it (each distinct value asked once), and what V8's own would cost. */
function measurePatterns({ compileRegularExpression, compileValueTest }, { events, rounds }) {
  const text = '^kube-[a-z]+/v1\\.(19|2[0-9])\\.[0-9]+ .*(linux|darwin)/(amd64|arm64)';
  const agents = events.map(({ agent }) => agent);
  const plain = compileRegularExpression(text);
  const match = { kind: 'match', operator: 'regex', negated: false, value: { text, from: 0 } };
  const remembering = compileValueTest(match);
  const native = new RegExp(text);
  const ways = {
    're2js, every value': (agent) => plain.test(agent),
    're2js, as in rules': (agent) => remembering(agent),
    'V8, every value': (agent) => native.test(agent),
  };
  return Object.entries(ways).map(([name, ask]) => {
    const times = Array.from({ length: rounds + 1 }, () => cpuOf(() => agents.forEach(ask)));
    return { engine: name, us: spread(times.slice(1).map((ms) => (ms * 1000) / agents.length)) };
  });
}

/** Events of the corpus beside the checkout where it is there, else of the samples; evenly chosen if there are many. */
function corpus({ splitBody, decodeEvent }, root, maxEvents) {
  const large = join(root, '../shared/corpus');
  const folder = existsSync(large) ? large : join(root, 'samples');
  const events = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .flatMap((name) => eventsOf(splitBody, gunzipSync(readFileSync(join(folder, name)))));
  const step = Math.max(1, events.length / maxEvents);
  const count = Math.min(events.length, maxEvents);
  return Array.from({ length: count }, (_, i) => {
    const { bytes, source } = events[Math.floor(i * step)];
    const event = decodeEvent(bytes, source);
    return {
      bytes,
      source,
      text: bytes.toString(),
      isMetadata: event.get('Level') === 'Metadata',
      agent: String(event.get('UserAgent') ?? ''),
    };
  });
}

function eventsOf(splitBody, body) {
  const { slices, listSource } = splitBody(body);
  return slices.map((bytes) => ({ bytes, source: listSource }));
}

/** The values that events have, most frequent first: rules of real life ask for these. */
function vocabularyOf({ decodeEvent }, events) {
  const fields = {
    verbs: 'Verb',
    resources: 'ObjectRef.Resource',
    subresources: 'ObjectRef.Subresource',
    users: 'User.username',
    namespaces: 'ObjectRef.Namespace',
  };
  const counts = Object.fromEntries(Object.keys(fields).map((key) => [key, new Map()]));
  for (const { bytes, source } of events) {
    const event = decodeEvent(bytes, source);
    for (const [key, field] of Object.entries(fields)) {
      const value = event.get(field);
      if (typeof value === 'string' && /^[\w:./-]+$/.test(value))
        counts[key].set(value, (counts[key].get(value) ?? 0) + 1);
    }
  }
  return Object.fromEntries(
    Object.entries(counts).map(([key, map]) => [
      key,
      [...map]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 40)
        .map(([value]) => value),
    ]),
  );
}

/** Rules as people write them: mostly verb and resource and one thing more; 15 in 100 with a pattern, 20 with an or. */
function ruleSetOf(count, vocabulary, seed = count) {
  const random = generator(seed);
  const pick = (list) => list[Math.floor(random() * list.length)] ?? '';
  const escaped = (text) => text.replace(/[.]/g, '\\.');
  const one = () => {
    const kind = random();
    // Half of the patterns are mere texts, which the engine treats as such.
    if (kind < 0.075) return `User.username regex "^${escaped(pick(vocabulary.users))}"`;
    if (kind < 0.15)
      return `User.username regex "^(${escaped(pick(vocabulary.users))}|[a-z]+-${escaped(pick(vocabulary.users))})$"`;
    if (kind < 0.45) return `User.username = "${pick(vocabulary.users)}"`;
    if (kind < 0.7) return `ObjectRef.Namespace = "${pick(vocabulary.namespaces)}"`;
    if (kind < 0.85) return `ResponseStatus.code >= ${pick([200, 201, 400, 403, 404, 409])}`;
    return `ObjectRef.Subresource = "${pick(vocabulary.subresources)}"`;
  };
  const rules = Array.from({ length: count }, (_, i) => {
    const head = `Verb in ("${pick(vocabulary.verbs)}", "${pick(vocabulary.verbs)}") and ObjectRef.Resource = "${pick(vocabulary.resources)}"`;
    const tail = random() < 0.2 ? `(${one()} or ${one()})` : one();
    // Few rules look at every resource; they are what the index cannot settle.
    const condition = random() < 0.05 ? `Verb != "get" and ${tail}` : `${head} and ${tail}`;
    const output = '${User.username} ${Verb} ${ObjectRef.Name}';
    return { name: `r${i}`, type: 'rule', enable: true, priority: 'INFO', condition, output };
  });
  return {
    rules: [{ metadata: { name: 'bench', labels: { type: 'alerting' } }, spec: { rules } }],
    webhook: { metadata: { name: 'w' }, spec: { auditLevel: 'RequestResponse' } },
  };
}

/** Numbers that are the same in every run: mulberry32. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
