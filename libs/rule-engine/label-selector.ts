import { ObjectReader } from './resource-reader';

/** Labels of a resource. */
export type Labels = ReadonlyMap<string, string>;

/** One demand of a selector. */
interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** Picks Rule resources by their labels; all demands must hold. */
export interface LabelSelector {
  readonly requirements: readonly Requirement[];
}

const OPERATORS: ReadonlySet<string> = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist']);

/**
 * Reads a selector.
 *
 * @param byDefault - value of the label `type` that is picked where the selector demands nothing
 */
export function readSelector(reader: ObjectReader, byDefault: string): LabelSelector {
  const labels = reader.child('matchLabels');
  const requirements: Requirement[] = labels
    .keys()
    .map((key) => ({ key, operator: 'In', values: [labels.text(key)] }));
  for (const [i, item] of reader.list('matchExpressions').entries()) {
    const path = `${reader.at('matchExpressions')}[${i}]`;
    const requirement = readExpression(ObjectReader.of(item, path, reader.report));
    if (requirement !== undefined) requirements.push(requirement);
  }
  if (requirements.length > 0) return { requirements };
  return { requirements: [{ key: 'type', operator: 'In', values: [byDefault] }] };
}

/** A demand that cannot be read is left out: picking too many rules is the safer mistake. */
function readExpression(reader: ObjectReader): Requirement | undefined {
  const key = reader.text('key');
  const operator = reader.text('operator');
  const values = reader.list('values').map(String);
  if (key === '') {
    reader.report.error(reader.path, 'expected the key of a label');
    return undefined;
  }
  if (!isOperator(operator)) {
    const message = `expected In, NotIn, Exists or DoesNotExist, found \`${operator}\``;
    reader.report.error(reader.at('operator'), message);
    return undefined;
  }
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    reader.report.error(reader.at('values'), `expected at least one value for ${operator}`);
    return undefined;
  }
  return { key, operator, values };
}

function isOperator(word: string): word is Requirement['operator'] {
  return OPERATORS.has(word);
}

/** Whether a selector picks a resource. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return selector.requirements.every(({ key, operator, values }) => {
    const value = labels.get(key);
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
    }
  });
}

/** A selector in words, such as `type=archiving`. */
export function printSelector(selector: LabelSelector): string {
  return selector.requirements
    .map(({ key, operator, values }) => {
      switch (operator) {
        case 'In':
          return values.length === 1 ? `${key}=${values.join()}` : `${key} in (${values.join()})`;
        case 'NotIn':
          return `${key} notin (${values.join()})`;
        case 'Exists':
          return key;
        case 'DoesNotExist':
          return `!${key}`;
      }
    })
    .join(', ');
}
