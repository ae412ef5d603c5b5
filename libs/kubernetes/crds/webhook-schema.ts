import { z } from 'zod';
import { CONDITIONS } from './condition-schema';

const SELECTOR = z
  .looseObject({
    matchLabels: z
      .record(z.string(), z.string())
      .optional()
      .describe('All of these labels must be on a Rule.'),
    matchExpressions: z
      .array(
        z.looseObject({
          key: z.string().optional().describe('Key of a label.'),
          operator: z.string().optional().describe('In, NotIn, Exists or DoesNotExist.'),
          values: z.array(z.string()).optional().describe('For In and NotIn.'),
        }),
      )
      .optional()
      .describe('All of these must hold for the labels of a Rule.'),
  })
  .describe('Picks Rules by their labels.');

const SERVICE_REFERENCE = z.looseObject({
  namespace: z.string().optional().describe('Namespace of the Service.'),
  name: z.string().optional().describe('Its name.'),
  path: z.string().optional().describe('Path of the request. Empty: the usual one of the type.'),
  port: z.int32().optional().describe('Port. Absent: the usual one of the type.'),
  scheme: z
    .string()
    .optional()
    .describe(
      'http or https. Empty: https if the receiver has a caBundle or a client certificate, else http.',
    ),
});

const SECRET = z.looseObject({
  file: z
    .string()
    .optional()
    .describe('Path of a file below the folder of secrets of the alert service.'),
  secret: z
    .looseObject({
      name: z.string().optional().describe('Name of the Secret.'),
      key: z.string().optional().describe('Key of its entry.'),
    })
    .optional()
    .describe(
      'An entry of a Secret that is mounted into the folder of secrets: the file is `name/key`.',
    ),
});

/** How a receiver knows us. */
const ACCESS = {
  bearerToken: SECRET.optional().describe(
    'Where the token is that is sent as Authorization: Bearer.',
  ),
  basicAuth: z
    .looseObject({
      username: z.string().optional().describe('The user name.'),
      password: SECRET.optional().describe('Where the password is.'),
    })
    .optional()
    .describe('User and password, sent as Authorization: Basic.'),
  clientCertificate: z
    .looseObject({
      certificate: SECRET.optional().describe('Where the certificate is, in PEM.'),
      privateKey: SECRET.optional().describe('Where its key is, in PEM.'),
    })
    .optional()
    .describe('Shown to a receiver that asks for a certificate (mutual TLS).'),
  signingKey: SECRET.optional().describe(
    'Where the key is that each request to a webhook is signed with (HMAC-SHA-256).',
  ),
  headers: z
    .array(
      z.looseObject({
        name: z.string().optional().describe('Name of the header.'),
        value: z.string().optional().describe('Its value.'),
        valueFrom: SECRET.optional().describe('Where its value is, instead of `value`.'),
      }),
    )
    .optional()
    .describe('Sent with each request.'),
};

const RECEIVER = z
  .looseObject({
    name: z.string().optional().describe('Unique name. Of two with one name the last counts.'),
    type: z.string().optional().describe('One of alertmanager, webhook, notificationmanager.'),
    config: z
      .looseObject({
        url: z.string().optional().describe('Address, such as http://alertmanager:9093.'),
        service: SERVICE_REFERENCE.optional().describe(
          'A Service of the cluster instead of a url. A receiver of type alertmanager with neither goes to alertmanager-main in kubesphere-monitoring-system.',
        ),
        ...ACCESS,
        caBundle: z
          .string()
          .optional()
          .describe('Certificates in PEM, in base64, trusted besides those of the system.'),
      })
      .optional()
      .describe('Where it is.'),
  })
  .describe('One destination of alerts.');

const RULE_SELECTION = z
  .looseObject({
    archivingRuleSelector: SELECTOR.optional().describe(
      'Picks the Rules whose matches are archived, from archivingPriority on. Absent: those labelled type=archiving.',
    ),
    alertingRuleSelector: SELECTOR.optional().describe(
      'Picks the Rules whose matches raise alerts, from alertingPriority on, and are archived whatever their priority. Absent: those labelled type=alerting.',
    ),
  })
  .describe('Which Rules do what.');

const QUANTITIES = z.record(
  z.string(),
  z.union([z.int(), z.string()]).meta({ 'x-kubernetes-int-or-string': true }),
);

/** Fields that both generations have, and what decides over events. */
const POLICY = {
  auditLevel: z
    .string()
    .optional()
    .describe(
      'Upper bound for events of Kube AI Hub: None, Metadata, Request or RequestResponse. What is above is removed before rules see it. Empty: Metadata. Events of Kubernetes hold what the audit policy of its API server says.',
    ),
  k8sAuditingEnabled: z
    .boolean()
    .optional()
    .describe(
      'Whether events of Kubernetes are kept. False or absent: they are answered, counted and dropped.',
    ),
  auditSinkPolicy: RULE_SELECTION.optional(),
  archivingPriority: z
    .string()
    .optional()
    .describe('Lowest priority of a Rule that archives: DEBUG, INFO or WARNING. Empty: DEBUG.'),
  alertingPriority: z
    .string()
    .optional()
    .describe('Lowest priority of a Rule that alerts: DEBUG, INFO or WARNING. Empty: WARNING.'),
  receivers: z.array(RECEIVER).optional().describe('Where alerts go.'),
  priority: z
    .string()
    .optional()
    .describe(
      'Of the first generation: the one threshold. Taken as archivingPriority if that is not there.',
    ),
  auditType: z
    .string()
    .optional()
    .describe('Of the first generation: static or dynamic. Means nothing any more.'),
  auditing: z
    .looseObject({
      k8sAuditingEnabled: z
        .boolean()
        .optional()
        .describe('Taken as spec.k8sAuditingEnabled if that is not there, with a warning.'),
    })
    .optional()
    .describe('Not a field but a misspelling of the manual: write spec.k8sAuditingEnabled.'),
};

const TOLERATION = z.looseObject({
  key: z.string().optional().describe('Key of the taint. Empty: all.'),
  operator: z.string().optional().describe('Exists or Equal.'),
  value: z.string().optional().describe('Value of the taint.'),
  effect: z.string().optional().describe('NoSchedule, PreferNoSchedule, NoExecute. Empty: all.'),
  tolerationSeconds: z.int().optional().describe('How long a NoExecute taint is tolerated.'),
});

/** Fields that say how the gateway runs. */
const DEPLOYMENT = {
  replicas: z.int32().optional().describe('Gateways. Absent: 1. Each has a volume for its spool.'),
  image: z
    .string()
    .optional()
    .describe('Image of the gateway. Absent, or one of the original webhook: the operator’s own.'),
  imagePullPolicy: z.string().optional().describe('Always, IfNotPresent or Never.'),
  imagePullSecrets: z
    .array(z.looseObject({ name: z.string().optional().describe('Name of a Secret.') }))
    .optional()
    .describe('Secrets, in the namespace of the gateway, to pull the image with.'),
  args: z
    .array(z.string())
    .optional()
    .describe('Arguments of the container. The gateway reads none, which is warned of.'),
  resources: z
    .looseObject({
      limits: QUANTITIES.optional().describe('At most, such as cpu: 1, memory: 1Gi.'),
      requests: QUANTITIES.optional().describe('At least, such as cpu: 100m, memory: 256Mi.'),
    })
    .optional()
    .describe('Processor and memory of a gateway.'),
  nodeSelector: z
    .record(z.string(), z.string())
    .optional()
    .describe('Labels of the nodes that gateways run on.'),
  affinity: z
    .looseObject({
      nodeAffinity: z.looseObject({}).optional().describe('As in a Pod.'),
      podAffinity: z.looseObject({}).optional().describe('As in a Pod.'),
      podAntiAffinity: z.looseObject({}).optional().describe('As in a Pod.'),
    })
    .optional()
    .describe('Where gateways run, as in a Pod. Absent: on different nodes, if that can be.'),
  tolerations: z.array(TOLERATION).optional().describe('Taints of nodes that gateways tolerate.'),
  port: z
    .int32()
    .optional()
    .describe('Port of the pod and the Service. 0 or absent: 6443 with useHTTPS, else 8080.'),
  useHTTPS: z
    .boolean()
    .optional()
    .describe(
      'Whether events arrive by TLS. Absent: true. kube-apiserver sends no credentials without it.',
    ),
  spool: z
    .looseObject({
      size: z
        .union([z.int(), z.string()])
        .meta({ 'x-kubernetes-int-or-string': true })
        .optional()
        .describe(
          'Size of the volume of each gateway, such as 20Gi. Absent: what the operator is set to.',
        ),
      storageClassName: z
        .string()
        .optional()
        .describe(
          'Its storage class. Absent: what the operator is set to, or the default of the cluster.',
        ),
    })
    .optional()
    .describe(
      'Where each gateway keeps the events that it has acknowledged. Cannot be changed later.',
    ),
};

/** Spec of a Webhook resource: every field of both generations. */
export const WEBHOOK_SPEC = z.looseObject({ ...POLICY, ...DEPLOYMENT }).describe('The settings.');

const RECEIVER_STATUS = z.object({
  name: z.string().describe('Its name.'),
  type: z.string().optional().describe('Its type.'),
  state: z.string().describe('Healthy or Failing.'),
  message: z.string().optional().describe('Why it fails.'),
});

/** Status of a Webhook resource. */
const WEBHOOK_STATUS = z
  .object({
    observedGeneration: z.int().optional().describe('metadata.generation that this speaks of.'),
    replicas: z.int().optional().describe('Gateways that there are.'),
    readyReplicas: z.int().optional().describe('Gateways that take events.'),
    ruleSetVersion: z.string().optional().describe('Version of the rule set in force.'),
    ruleCount: z.int().optional().describe('Rules that are evaluated.'),
    receivers: z.array(RECEIVER_STATUS).nullish().describe('How the receivers fare.'),
    warnings: z
      .array(z.string())
      .nullish()
      .describe('What is in force but hardly does what was meant, with the fix.'),
    conditions: CONDITIONS.optional().describe(
      'Ready: whether these settings are in force. Warned: whether there are warnings. KubernetesAuditing: whether events of Kubernetes are kept. ReceiversHealthy: whether every receiver takes its alerts. Available: whether a gateway takes events.',
    ),
  })
  .describe('What became of it.');

/** The Webhook resource. */
export const WEBHOOK = z
  .object({ spec: WEBHOOK_SPEC.optional(), status: WEBHOOK_STATUS.optional() })
  .describe(
    'Settings of an audit-log installation: what is kept, what raises alerts, where they go, and how gateways run. The rule service reads the one named kube-auditing-webhook.',
  );

/** Spec of a Webhook resource. */
export type WebhookSpec = z.infer<typeof WEBHOOK_SPEC>;
/** Status of a Webhook resource, as rule service and operator write it, each its part. */
export type WebhookStatusFields = z.infer<typeof WEBHOOK_STATUS>;
