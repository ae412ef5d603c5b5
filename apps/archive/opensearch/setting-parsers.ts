import { url, type Parser } from '@auditing/service/setting-parsers';

const nodeUrl = url('http', 'https');

/** URLs of nodes, without a path. They may hold a password, so they are never shown. */
export const nodeUrls: Parser<readonly string[]> = {
  expected: 'URLs such as https://opensearch:9200, separated by commas',
  unit: 'URLs',
  secret: true,
  parse: (value) => value.split(',').map((one) => nodeUrl.parse(one.trim())),
};

/** What OpenSearch takes for the name of an index, and leaves room for a date. */
export const indexPrefix: Parser<string> = {
  expected: 'lower-case letters, digits, - and _, beginning with a letter, at most 200 of them',
  unit: 'text',
  parse(value) {
    if (!/^[a-z][a-z0-9_-]{0,199}$/.test(value)) throw new TypeError();
    return value;
  },
};
