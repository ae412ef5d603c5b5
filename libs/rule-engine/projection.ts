import { columnFieldOf } from '@auditing/audit-event/column-fields';
import type { Field } from '@auditing/proto/event';
import type { DocumentNeed, Projection } from '@auditing/proto/rule';
import type { Condition, Test } from './condition';
import { resolvePath, type Root } from './field-source';

/**
 * A set of events by verb, resource and subresource; undefined stands for any. Only ever too large: an event
 * outside is certainly not meant.
 */
interface Box {
  readonly verbs: ReadonlySet<string> | undefined;
  readonly resources: ReadonlySet<string> | undefined;
  readonly subresources: ReadonlySet<string> | undefined;
}

/** Boxes beside each other; none at all is the empty set. */
type Region = readonly Box[];

const SIDES = ['verbs', 'resources', 'subresources'] as const;
const SIDE_OF_FIELD: ReadonlyMap<string, keyof Box> = new Map([
  ['Verb', 'verbs'],
  ['ObjectRef.Resource', 'resources'],
  ['ObjectRef.Subresource', 'subresources'],
]);

const EVERYTHING: Region = [{ verbs: undefined, resources: undefined, subresources: undefined }];
const NOTHING: Region = [];

/** More boxes than these are replaced by one around all of them, so that rules cannot blow the projection up. */
const MAX_BOXES = 64;

/** Gathers what rules read of events: columns for all, the whole document for those that need more. */
export class ProjectionBuilder {
  private readonly fields = new Set<Field>();
  private documents: Region = NOTHING;

  /** @param alsoRead fields that are read besides those of rules */
  constructor(alsoRead: readonly Field[] = []) {
    for (const field of alsoRead) this.fields.add(field);
    this.addRoot({ field: 'Verb' }, NOTHING);
    this.addRoot({ field: 'ObjectRef.Resource' }, NOTHING);
    this.addRoot({ field: 'ObjectRef.Subresource' }, NOTHING);
  }

  /** A rule that is evaluated, and what its output reads. */
  add(condition: Condition, outputRoots: readonly Root[]): void {
    forEachTest(condition, (test) => this.addRoot(resolvePath(test.path).root, NOTHING));
    this.documents = union(this.documents, documentRegion(condition));
    const isWholeNeeded = outputRoots.some((root) => columnOf(root) === undefined);
    const matches = isWholeNeeded ? regionOf(condition) : NOTHING;
    for (const root of outputRoots) this.addRoot(root, matches);
  }

  /** What was gathered. */
  build(): Projection {
    return {
      fields: [...this.fields].sort((a, b) => a - b),
      documents: this.documents.map(toDocumentNeed),
    };
  }

  private addRoot(root: Root, where: Region): void {
    const column = columnOf(root);
    if (column === undefined) this.documents = union(this.documents, where);
    else this.fields.add(column);
  }
}

/** Whether no event at all can match, whatever it holds besides verb, resource and subresource. */
export function matchesNothing(condition: Condition): boolean {
  return regionOf(condition).length === 0;
}

/** The resources that a condition can match an event of; undefined if any. */
export function demandedResources(condition: Condition): ReadonlySet<string> | undefined {
  return around(regionOf(condition)).resources;
}

/** Regions of whole conditions: a rule's is asked for when it is checked, and again when it is indexed. */
const knownRegions = new WeakMap<Condition, Region>();

function regionOf(condition: Condition): Region {
  let region = knownRegions.get(condition);
  if (region === undefined) {
    region = matchRegion(condition);
    knownRegions.set(condition, region);
  }
  return region;
}

function columnOf(root: Root): Field | undefined {
  return 'field' in root ? columnFieldOf(root.field) : undefined;
}

function forEachTest(condition: Condition, visit: (test: Test) => void): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      for (const operand of condition.operands) forEachTest(operand, visit);
      break;
    case 'not':
      forEachTest(condition.operand, visit);
      break;
    default:
      visit(condition);
  }
}

/** Where a condition can be true at all. */
function matchRegion(condition: Condition): Region {
  switch (condition.kind) {
    case 'and':
      return condition.operands.map(matchRegion).reduce(intersection, EVERYTHING);
    case 'or':
      return condition.operands.map(matchRegion).reduce(union, NOTHING);
    case 'not':
      return EVERYTHING;
    default:
      return testRegion(condition);
  }
}

function testRegion(test: Test): Region {
  const { root, steps } = resolvePath(test.path);
  const side = 'field' in root ? SIDE_OF_FIELD.get(root.field) : undefined;
  const texts = demandedTexts(test);
  if (side === undefined || texts === undefined || steps.length > 0) return EVERYTHING;
  return texts.length === 0
    ? NOTHING
    : EVERYTHING.map((box) => ({ ...box, [side]: new Set(texts) }));
}

/** The texts one of which a value must be; undefined if the test demands no such thing. */
function demandedTexts(test: Test): string[] | undefined {
  if (test.kind === 'compare' && test.operator === '=' && test.value.kind === 'text') {
    return [test.value.text];
  }
  if (test.kind !== 'member' || test.operator !== 'in' || test.negated) return undefined;
  return test.items.flatMap((item) => (item.kind === 'path' ? [] : [item.text]));
}

/** Where the whole document can change what a condition says. */
function documentRegion(condition: Condition): Region {
  switch (condition.kind) {
    case 'and': {
      const needed = condition.operands.map(documentRegion).reduce(union, NOTHING);
      return needed.length === 0 ? NOTHING : intersection(needed, matchRegion(condition));
    }
    case 'or':
      return condition.operands.map(documentRegion).reduce(union, NOTHING);
    case 'not':
      return documentRegion(condition.operand);
    default:
      return columnOf(resolvePath(condition.path).root) === undefined ? EVERYTHING : NOTHING;
  }
}

function union(a: Region, b: Region): Region {
  if (b.length === 0) return a;
  const boxes = [...a];
  for (const box of b) {
    const place = boxes.findIndex((known) => isJoinExact(known, box));
    const known = boxes[place];
    if (known === undefined) boxes.push(box);
    else boxes[place] = around([known, box]);
  }
  return boxes.length <= MAX_BOXES ? boxes : [around(boxes)];
}

/** Whether one box around two holds no more than the two: one lies inside the other, or they differ on one side only. */
function isJoinExact(a: Box, b: Box): boolean {
  if (covers(a, b) || covers(b, a)) return true;
  return SIDES.filter((side) => !isSame(a[side], b[side])).length === 1;
}

function isSame(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every((text) => b.has(text));
}

function intersection(a: Region, b: Region): Region {
  if (a === EVERYTHING) return b;
  if (b === EVERYTHING) return a;
  const boxes = a.flatMap((left) => b.flatMap((right) => intersectBoxes(left, right)));
  return union(NOTHING, boxes);
}

function intersectBoxes(a: Box, b: Box): Box[] {
  const box = {
    verbs: common(a.verbs, b.verbs),
    resources: common(a.resources, b.resources),
    subresources: common(a.subresources, b.subresources),
  };
  return SIDES.some((side) => box[side]?.size === 0) ? [] : [box];
}

function common(
  a: ReadonlySet<string> | undefined,
  b: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return new Set([...a].filter((text) => b.has(text)));
}

function covers(outer: Box, inner: Box): boolean {
  return SIDES.every((side) => {
    const [wide, narrow] = [outer[side], inner[side]];
    return (
      wide === undefined || (narrow !== undefined && [...narrow].every((text) => wide.has(text)))
    );
  });
}

/** One box around all. */
function around(boxes: Region): Box {
  const joined = (side: keyof Box): ReadonlySet<string> | undefined => {
    const sets = boxes.map((box) => box[side]);
    return sets.includes(undefined) ? undefined : new Set(sets.flatMap((set) => [...(set ?? [])]));
  };
  return {
    verbs: joined('verbs'),
    resources: joined('resources'),
    subresources: joined('subresources'),
  };
}

function toDocumentNeed({ verbs, resources, subresources }: Box): DocumentNeed {
  return {
    verbs: [...(verbs ?? [])].sort(),
    resources: [...(resources ?? [])].sort(),
    subresources: [...(subresources ?? [])].sort(),
  };
}
