import { VALUE_MAX_LENGTH } from './field-paths';

/** How indices are made. */
export interface IndexShape {
  readonly prefix: string;
  readonly shardCount: number;
  /** Copies besides the first, where there are nodes for them. */
  readonly replicaCount: number;
}

type Mapping = Readonly<Record<string, unknown>>;

/** A field of a mapping, or all of it: what OpenSearch answers. */
export interface MappingNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, MappingNode>>;
  readonly fields?: Readonly<Record<string, MappingNode>>;
}

/** Above the templates that others make for all indices, and unlikely to be the very number of another one. */
const PRIORITY = 230;

/** The whole value, as `name.keyword`, like OpenSearch's own mapping of text. */
const KEYWORD = { keyword: { type: 'keyword', ignore_above: VALUE_MAX_LENGTH } };

/** As OpenSearch maps text by itself: KubeSphere's console asks for words in it, and for the whole by `.keyword`. */
const TEXT: Mapping = { type: 'text', fields: KEYWORD };

/** The same for values that are no words. */
const ID: Mapping = { type: 'text', index: false, fields: KEYWORD };

const WHOLE: Mapping = { type: 'keyword', ignore_above: VALUE_MAX_LENGTH };
const LABEL: Mapping = { type: 'keyword' };
/** Sorted by, not asked for. */
const ORDINAL: Mapping = { type: 'long', index: false };
/** Kept as it is and never looked into: nothing that somebody puts into it becomes a field. */
const OPAQUE: Mapping = { type: 'object', enabled: false };
/** Kept, neither indexed nor sorted by. */
const STORED_TEXT: Mapping = { type: 'keyword', index: false, doc_values: false };

function object(properties: Mapping): Mapping {
  return { dynamic: false, properties };
}

const USER = object({ Username: TEXT, UID: ID, Groups: TEXT });

/** What the document of KubeSphere has. */
const KUBESPHERE: Mapping = {
  AuditID: ID,
  Annotations: OPAQUE,
  Cluster: TEXT,
  Devops: TEXT,
  ImpersonatedUser: USER,
  Level: TEXT,
  Message: TEXT,
  ObjectRef: object({
    Resource: TEXT,
    Namespace: TEXT,
    Name: TEXT,
    UID: ID,
    APIGroup: TEXT,
    APIVersion: TEXT,
    ResourceVersion: ID,
    Subresource: TEXT,
  }),
  RequestObject: STORED_TEXT,
  RequestReceivedTimestamp: { type: 'date' },
  RequestURI: TEXT,
  ResponseObject: STORED_TEXT,
  ResponseStatus: object({
    code: { type: 'long', ignore_malformed: true, fields: KEYWORD },
    status: TEXT,
    reason: TEXT,
    message: TEXT,
  }),
  SourceIPs: TEXT,
  Stage: TEXT,
  StageTimestamp: { type: 'date' },
  User: USER,
  UserAgent: TEXT,
  Verb: TEXT,
  Workspace: TEXT,
};

/** What we add: see KeptFacts in event-document.ts. */
const KEPT: Mapping = {
  Key: { type: 'keyword', doc_values: false },
  Source: LABEL,
  TimeUs: { type: 'long' },
  ReceivedAtUs: { type: 'long' },
  Epoch: LABEL,
  Sequence: ORDINAL,
  Place: ORDINAL,
  Groups: WHOLE,
  SourceIPs: WHOLE,
  Rules: WHOLE,
  Priority: LABEL,
  RuleSetVersion: LABEL,
  Findings: OPAQUE,
  Strip: LABEL,
  Workspace: STORED_TEXT,
  // Words of letters, in lower case: they lead to the events that may hold a text.
  Event: { type: 'text', analyzer: 'simple', norms: false, index_options: 'docs' },
  Packed: OPAQUE,
  Bytes: ORDINAL,
  SearchAlways: { type: 'boolean' },
  TooLong: LABEL,
};

const MAPPINGS = {
  dynamic: false,
  date_detection: false,
  properties: { ...KUBESPHERE, Kept: object(KEPT) } as Readonly<Record<string, MappingNode>>,
};

/** The index template: every field is named here, so that no event can make another one. */
export function indexTemplate({ prefix, shardCount, replicaCount }: IndexShape): object {
  return {
    index_patterns: [`${prefix}-*`],
    priority: PRIORITY,
    template: {
      settings: {
        index: {
          number_of_shards: shardCount,
          auto_expand_replicas: `0-${replicaCount}`,
          codec: 'best_compression',
          // An answer means: on disk.
          translog: { durability: 'request' },
          refresh_interval: '1s',
        },
      },
      mappings: MAPPINGS,
    },
  };
}

/** Name of the template of a prefix. */
export function templateName(prefix: string): string {
  return `auditing-${prefix}`;
}

/**
 * What an index that somebody else has made lacks, as body of a change of its mapping; undefined if it lacks nothing.
 * Fields that it has stay as they are, whatever their type; from now on no event makes another one.
 */
export function missingMapping(index: MappingNode): object | undefined {
  const properties = missingProperties(index.properties ?? {}, MAPPINGS.properties);
  return Object.keys(properties).length === 0 ? undefined : { dynamic: false, properties };
}

function missingProperties(
  there: Readonly<Record<string, MappingNode>>,
  wanted: Readonly<Record<string, MappingNode>>,
): Record<string, object> {
  const missing: Record<string, object> = {};
  for (const [name, node] of Object.entries(wanted)) {
    const own = there[name];
    const added = own === undefined ? node : missingIn(own, node);
    if (added !== undefined) missing[name] = added;
  }
  return missing;
}

function missingIn(own: MappingNode, wanted: MappingNode): object | undefined {
  if (own.properties && wanted.properties) {
    const properties = missingProperties(own.properties, wanted.properties);
    const isClosed = 'dynamic' in own && String(own.dynamic) === 'false';
    return Object.keys(properties).length === 0 && isClosed
      ? undefined
      : { dynamic: false, properties };
  }
  // A sub-field can be added to a field of the same type alone.
  const lacksKeyword = wanted.fields?.keyword && !own.fields?.keyword && own.type === wanted.type;
  return lacksKeyword ? { type: own.type, fields: wanted.fields } : undefined;
}
