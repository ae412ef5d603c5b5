// Makes gen/condition-parser.ts of condition.grammar: `npm run grammar`. With --check it only says whether the
// committed file is up to date.
import { buildParserFile } from '@lezer/generator';
import { readFileSync, writeFileSync } from 'node:fs';

const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const target = 'gen/condition-parser.ts';

const { parser } = buildParserFile(read('condition.grammar'), {
  fileName: 'condition.grammar',
  typeScript: true,
  warn: (message) => {
    throw new Error(message);
  },
});
const text = `${parser.trimEnd()}\n`;
if (process.argv.includes('--check')) {
  if (read(target) !== text) {
    console.error(`${target} is not what condition.grammar gives: run npm run grammar`);
    process.exit(1);
  }
} else {
  writeFileSync(new URL(target, import.meta.url), text);
}
