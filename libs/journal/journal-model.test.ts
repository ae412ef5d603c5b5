import fc from 'fast-check';
import { faultyDisk } from './faulty-files';
import type { FaultyDisk } from './faulty-files';
import type { Journal, JournalRecord } from './journal';
import { openJournal } from './open-journal';

/** What is done to the journal and its disk, one after the other. */
type Step =
  | { readonly kind: 'append'; readonly sizes: readonly number[] }
  | { readonly kind: 'appendTogether'; readonly calls: readonly number[] }
  | { readonly kind: 'trim'; readonly percent: number }
  | { readonly kind: 'roll' | 'crash' | 'check' | 'kill' | 'close' | 'full' | 'room' }
  | { readonly kind: 'failSync' | 'failWrite' | 'cutPower'; readonly nth: number };

const size = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constant(700));
const sizes = fc.array(size, { maxLength: 4 });
const calls = fc.array(size, { minLength: 2, maxLength: 6 });
const nth = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 8 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), sizes }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('appendTogether' as const), calls }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('trim' as const), percent: fc.nat(100) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('roll', 'crash', 'check', 'kill', 'close', 'full', 'room'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('failSync', 'failWrite', 'cutPower'), nth }),
  },
);

interface Written {
  readonly position: number;
  readonly id: number;
}

/** A journal on a faulty disk, and what it has promised so far. */
class Model {
  readonly #disk: FaultyDisk;
  #journal: Journal;
  #nextId = 1;
  /** Acknowledged, or seen after opening, in order. */
  #promised: Written[] = [];
  /** Handed over, but not acknowledged: may be there after a crash. */
  readonly #unacknowledged = new Set<number>();
  #trimmedTo = 0;

  private constructor(disk: FaultyDisk, journal: Journal) {
    this.#disk = disk;
    this.#journal = journal;
  }

  static async begin(seed: number): Promise<Model> {
    const disk = faultyDisk(seed);
    return new Model(disk, await openOn(disk));
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.#append([step.sizes]);
      case 'appendTogether':
        return this.#append(step.calls.map((size) => [size]));
      case 'trim':
        return this.#trim(step.percent / 100);
      case 'roll':
        return this.#journal.roll();
      case 'check':
        return this.#disk.isPowered ? this.check() : undefined;
      case 'crash':
        return this.#crash();
      case 'kill':
        this.#disk.kill();
        return this.#openAgain();
      case 'close':
        await this.#journal.close();
        return this.#openAgain();
      case 'full': {
        this.#disk.setCapacity(1200);
        return;
      }
      case 'room':
        this.#disk.setCapacity(Infinity);
        return;
      case 'failSync': {
        this.#disk.failSync(step.nth);
        return;
      }
      case 'failWrite': {
        this.#disk.failWrite(step.nth);
        return;
      }
      case 'cutPower': {
        this.#disk.cutPowerAt(step.nth);
        return;
      }
    }
  }

  /** What was promised is there, in order, once, byte for byte. */
  async check(): Promise<void> {
    const found = await this.#readAll();
    expect(found).toEqual(this.#promised.filter(({ position }) => position >= this.#journal.start));
    for (const written of found)
      expect(decode(await this.#journal.readAt(written.position))).toEqual(written);
  }

  /** As check; and of what was not acknowledged some may be there too. If so, it stays from now on. */
  async #checkAfterCrash(): Promise<void> {
    const { start, end } = this.#journal;
    const found = await this.#readAll();
    const isPromised = ({ id }: Written): boolean => !this.#unacknowledged.has(id);
    expect(found.filter(isPromised)).toEqual(
      this.#promised.filter(({ position }) => position >= start),
    );
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
    const oldestDue = this.#promised.find(({ position }) => position >= this.#trimmedTo);
    expect(start).toBeLessThanOrEqual(oldestDue?.position ?? Infinity);
    expect(end).toBeGreaterThan(this.#promised.at(-1)?.position ?? -1);
    this.#promised = found;
    found.forEach(({ id }) => this.#unacknowledged.delete(id));
  }

  async #readAll(): Promise<Written[]> {
    const found: Written[] = [];
    for await (const record of this.#journal.read(0)) found.push(decode(record));
    return found;
  }

  async end(): Promise<void> {
    this.#disk.setCapacity(Infinity);
    await this.#crash();
    await this.#append([[5]]);
    await this.check();
    await this.#crash();
    await this.#journal.close();
  }

  async #append(calls: readonly (readonly number[])[]): Promise<void> {
    await Promise.all(
      calls.map(async (sizes) => {
        const ids = sizes.map(() => this.#nextId++);
        const records = sizes.map((size, index) => encode(ids[index] ?? 0, size));
        ids.forEach((id) => this.#unacknowledged.add(id));
        try {
          const { positions } = await this.#journal.append(records);
          ids.forEach((id) => this.#unacknowledged.delete(id));
          this.#promised.push(
            ...ids.map((id, index) => ({ id, position: positions[index] ?? -1 })),
          );
        } catch (error) {
          expect((error as Error).name).toMatch(/^Journal(Full|Failed)Error$/);
        }
      }),
    );
  }

  async #trim(share: number): Promise<void> {
    const position = Math.floor(this.#journal.end * share);
    this.#trimmedTo = Math.max(this.#trimmedTo, position);
    await this.#journal.trim(position).catch((error: unknown) => {
      expect((error as Error).name).toBe('JournalFailedError');
    });
  }

  async #crash(): Promise<void> {
    this.#disk.crash();
    await this.#openAgain();
  }

  async #openAgain(): Promise<void> {
    let tries = 0;
    for (;;) {
      try {
        this.#journal = await openOn(this.#disk);
        break;
      } catch (error) {
        // A fault of the disk was due while opening: again, after a crash.
        expect((error as Error).name).toBe('JournalFailedError');
        expect(++tries).toBeLessThan(3);
        this.#disk.crash();
      }
    }
    await this.#checkAfterCrash();
    await this.check();
  }
}

const openOn = (disk: FaultyDisk): Promise<Journal> =>
  openJournal({
    directory: '/data/journal',
    files: disk.files,
    segmentBytes: 400,
    segmentHead: (previous) => Buffer.from(`after ${previous?.start ?? 'nothing'}`),
  });

/** A record that says who it is, with bytes that follow from that. */
function encode(id: number, size: number): Buffer {
  const data = Buffer.alloc(4 + size, id % 251);
  data.writeUInt32LE(id);
  return data;
}

function decode({ position, data }: JournalRecord): Written {
  const id = data.readUInt32LE();
  expect(data.equals(encode(id, data.length - 4))).toBe(true);
  return { position, id };
}

test('whatever the disk does, what was acknowledged is there after a crash, once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.array(step, { minLength: 1, maxLength: 40 }),
      async (seed, steps) => {
        const model = await Model.begin(seed);
        for (const step of steps) await model.take(step);
        await model.end();
      },
    ),
    { numRuns: 500 },
  );
}, 300_000);
