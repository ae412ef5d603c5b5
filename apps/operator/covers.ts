/**
 * Whether an object has all that is wanted of it; what it has besides, such as defaults and containers that others put
 * in, does not matter. Items of lists are found by name, or by place where they have none.
 */
export function covers(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(live)) return false;
    return (wanted as readonly unknown[]).every((item, i) => covers(sameItem(live, item, i), item));
  }
  if (typeof wanted !== 'object' || wanted === null) return live === wanted;
  if (typeof live !== 'object' || live === null) return false;
  return Object.entries(wanted).every(([key, value]) =>
    covers((live as Readonly<Record<string, unknown>>)[key], value),
  );
}

function sameItem(list: readonly unknown[], item: unknown, place: number): unknown {
  const name = nameOf(item);
  return name === undefined ? list[place] : list.find((one) => nameOf(one) === name);
}

function nameOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null
    ? (item as { readonly name?: unknown }).name
    : undefined;
}
