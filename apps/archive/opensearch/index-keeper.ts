import { AnswerError, type OpenSearch } from './connect';
import { indexTemplate, missingMapping, templateName, type IndexShape } from './index-template';
import type { MappingNode } from './index-template';

/** Names of indices that were found in order: a handful of days. */
const KNOWN_MAX = 64;

/** What the keeper works with. */
export interface IndexKeeperOptions {
  readonly opensearch: Pick<OpenSearch, 'request'>;
  readonly shape: IndexShape;
  readonly marksIndex: string;
}

type Mappings = Readonly<Record<string, { readonly mappings?: MappingNode }>>;

/**
 * Sees to it that an index has our mapping before anything is written to it: made by the template, or, where KubeSphere
 * has made it before, with what is missing added.
 */
export class IndexKeeper {
  readonly #options: IndexKeeperOptions;
  readonly #known = new Map<string, Promise<void>>();
  #prepared: Promise<void> | undefined;

  constructor(options: IndexKeeperOptions) {
    this.#options = options;
  }

  /** Makes template and marks index, once. Rejects as requests do; then the next call tries again. */
  prepare(signal: AbortSignal): Promise<void> {
    this.#prepared ??= this.#prepare(signal).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /** Looks after indices that will be written to. */
  async ensure(indices: Iterable<string>, signal: AbortSignal): Promise<void> {
    await this.prepare(signal);
    await Promise.all([...new Set(indices)].map((index) => this.#ensureOne(index, signal)));
  }

  #ensureOne(index: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    const checking = this.#check(index, signal).catch((error: unknown) => {
      this.#known.delete(index);
      throw error;
    });
    this.#known.set(index, checking);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    return checking;
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { opensearch, marksIndex } = this.#options;
    await this.#putTemplate(signal);
    await opensearch
      .request(
        {
          method: 'PUT',
          path: `/${marksIndex}`,
          body: {
            settings: {
              index: { number_of_shards: 1, auto_expand_replicas: '0-1', hidden: true },
            },
            mappings: { dynamic: false, properties: { UpdatedAtMs: { type: 'date' } } },
          },
        },
        signal,
      )
      .catch((error: unknown) => {
        const isThere =
          error instanceof AnswerError && error.type === 'resource_already_exists_exception';
        if (!isThere) throw error;
      });
  }

  async #putTemplate(signal: AbortSignal): Promise<void> {
    const { opensearch, shape } = this.#options;
    await opensearch.request(
      {
        method: 'PUT',
        path: `/_index_template/${templateName(shape.prefix)}`,
        body: indexTemplate(shape),
      },
      signal,
    );
  }

  async #check(index: string, signal: AbortSignal): Promise<void> {
    const { opensearch } = this.#options;
    let mappings: Mappings;
    try {
      mappings = await opensearch.request<Mappings>(
        { method: 'GET', path: `/${index}/_mapping` },
        signal,
      );
    } catch (error) {
      if (!(error instanceof AnswerError && error.statusCode === 404)) throw error;
      // Its first document makes it. Somebody may have removed the template since the day before.
      await this.#putTemplate(signal);
      return;
    }
    const missing = missingMapping(mappings[index]?.mappings ?? {});
    if (missing === undefined) return;
    await opensearch.request({ method: 'PUT', path: `/${index}/_mapping`, body: missing }, signal);
  }
}
