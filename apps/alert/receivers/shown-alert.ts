import type { Endpoint } from './endpoint';

/** An alert as Alertmanager shows it, as far as it is read. */
export interface ShownAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Ids of silences. */
  readonly silencedBy: readonly string[];
  /** Fingerprints of alerts. */
  readonly inhibitedBy: readonly string[];
}

interface RawAlert {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status?: {
    readonly silencedBy?: readonly string[];
    readonly inhibitedBy?: readonly string[];
  };
}

/** Asks an Alertmanager for the alerts with these labels; undefined if it does not answer, or with something else. */
export async function readShown(
  endpoint: Endpoint,
  of: { readonly basePath: string; readonly filter: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<readonly ShownAlert[] | undefined> {
  const parameters = new URLSearchParams();
  for (const [label, value] of Object.entries(of.filter)) {
    parameters.append('filter', `${label}=${JSON.stringify(value)}`);
  }
  const text = await endpoint.get(`${of.basePath}/api/v2/alerts?${parameters.toString()}`, signal);
  if (text === undefined) return undefined;
  try {
    const alerts: unknown = JSON.parse(text);
    if (!Array.isArray(alerts)) return undefined;
    return (alerts as readonly RawAlert[]).map(({ labels, annotations, status }) => ({
      labels: labels ?? {},
      annotations: annotations ?? {},
      silencedBy: status?.silencedBy ?? [],
      inhibitedBy: status?.inhibitedBy ?? [],
    }));
  } catch {
    return undefined;
  }
}
