/** Waits until a condition holds; rejects when it does not within `limitMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > limitMs) throw new Error(`it was not so within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
