/** The sum of all series of a metric, as /metrics of an app says it. */
export async function metric(adminUrl: string, name: string): Promise<number> {
  const response = await fetch(new URL('/metrics', adminUrl));
  const lines = (await response.text()).split('\n');
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}
