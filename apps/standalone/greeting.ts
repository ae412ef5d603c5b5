/** What a person who has just started the system wants to know. */
export interface Greeting {
  /** Where audit bodies are posted to. */
  readonly webhookUrl: string;
  /** Where to ask. */
  readonly apiUrl: string;
  /** Where the gRPC services listen. */
  readonly grpcAddress: string;
  /** Where metrics and health are. */
  readonly dataDir: string;
  readonly configDir: string;
  /** CA certificate that signed the webhook's own; undefined with other certificates or none. */
  readonly caFile: string | undefined;
  readonly rules: readonly { readonly name: string; readonly active: boolean }[];
  readonly remarks: readonly string[];
  /** How long the start took. */
  readonly startMs: number;
}

/**
 * Says in plain words where to send events, where to ask, which rules are in force, and where data lies.
 *
 * @param colours - whether the text goes to a terminal
 */
export function greeting(facts: Greeting, colours: boolean): string {
  const strong = (text: string): string => (colours ? `\u001b[1m${text}\u001b[22m` : text);
  const api = `${facts.apiUrl}/apis/query.auditing.kubesphere.io/v1alpha1`;
  const active = facts.rules.filter((rule) => rule.active).map((rule) => rule.name);
  const sections: [string, readonly string[]][] = [
    ['Send events to', [facts.webhookUrl, 'Samples: npm run samples']],
    [
      'Ask',
      [
        `curl '${api}/events?limit=5'`,
        `curl '${facts.apiUrl}/kapis/tenant.kubesphere.io/v1alpha2/auditing/events?size=5'`,
        `curl ${api}/alerts`,
        `gRPC: ${facts.grpcAddress} (archive, rules, alerts; grpcurl works)`,
      ],
    ],
    [
      `Rules in force (${facts.configDir}, a change acts within a second)`,
      active.length > 0
        ? active
        : ['none: no event is kept. Put Rule resources there; examples are in config/rules.'],
    ],
    ...(facts.remarks.length > 0
      ? ([['Worth a look', facts.remarks]] as [string, readonly string[]][])
      : []),
    ['Data', [facts.dataDir]],
    ['kube-apiserver: --audit-webhook-config-file with this content', kubeconfig(facts)],
  ];
  const text = sections
    .map(([title, lines]) => [strong(title), ...lines.map((line) => `  ${line}`)].join('\n'))
    .join('\n\n');
  return `\n${strong('kube-auditing')} is ready after ${facts.startMs} ms. Ctrl-C ends it.\n\n${text}\n\n`;
}

/** The file names the CA by path, so that it stays short enough to read and to copy. */
function kubeconfig({ webhookUrl, caFile }: Greeting): string[] {
  const trust = webhookUrl.startsWith('https:')
    ? caFile === undefined
      ? ['      # certificate-authority: the CA that signed your certificate']
      : [`      certificate-authority: ${caFile}`]
    : [];
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    '  - name: auditing',
    '    cluster:',
    `      server: ${webhookUrl}`,
    ...trust,
    'contexts:',
    '  - name: auditing',
    '    context: { cluster: auditing, user: "" }',
    'current-context: auditing',
  ];
}
