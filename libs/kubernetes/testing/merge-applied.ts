/** Any JSON object. */
export type Json = Record<string, unknown>;

/**
 * What server-side apply makes of an object: the fields of `applied` are set, those that the same manager applied
 * before and no longer names are removed, all others stay. Lists whose items have a `name` or `type` are merged item by
 * item, others replaced, as most lists of Kubernetes are.
 */
export function mergeApplied(live: Json, before: Json | undefined, applied: Json): Json {
  const merged = structuredClone(live);
  if (before) removeGone(merged, before, applied);
  setAll(merged, applied);
  return merged;
}

function setAll(target: Json, source: Json): void {
  for (const [key, value] of Object.entries(source)) {
    const there = target[key];
    if (isObject(value) && isObject(there)) setAll(there, value);
    else if (isKeyed(value) && isKeyed(there)) target[key] = mergedList(there, value);
    else target[key] = structuredClone(value);
  }
}

function mergedList(there: readonly Json[], items: readonly Json[]): Json[] {
  const merged = [...there];
  for (const item of items) {
    const same = merged.find((one) => keyOf(one) === keyOf(item));
    if (same) setAll(same, item);
    else merged.push(structuredClone(item));
  }
  return merged;
}

function removeGone(target: Json, before: Json, applied: Json): void {
  for (const [key, old] of Object.entries(before)) {
    const there = target[key];
    const now = applied[key];
    if (now === undefined) {
      if (isObject(old) && isObject(there)) {
        removeGone(there, old, {});
        if (Object.keys(there).length === 0) Reflect.deleteProperty(target, key);
      } else if (isKeyed(old) && isKeyed(there)) target[key] = keptItems(there, old, []);
      else Reflect.deleteProperty(target, key);
    } else if (isObject(old) && isObject(there) && isObject(now)) removeGone(there, old, now);
    else if (isKeyed(old) && isKeyed(there) && isKeyed(now))
      target[key] = keptItems(there, old, now);
  }
}

function keptItems(there: readonly Json[], old: readonly Json[], now: readonly Json[]): Json[] {
  const has = (list: readonly Json[], item: Json): Json | undefined =>
    list.find((one) => keyOf(one) === keyOf(item));
  return there.filter((item) => {
    const before = has(old, item);
    const after = has(now, item);
    if (before && after) removeGone(item, before, after);
    return !before || after !== undefined;
  });
}

function keyOf(item: Json): unknown {
  return item['name'] ?? item['type'];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isKeyed(value: unknown): value is Json[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => isObject(item) && typeof keyOf(item) === 'string')
  );
}
