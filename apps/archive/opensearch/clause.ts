/** A part of a query in OpenSearch's language. */
export type Clause = Readonly<Record<string, unknown>>;
