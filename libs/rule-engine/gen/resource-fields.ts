// Generated from libs/kubernetes/crds by `npm run crds`. Do not edit.

/** The fields of an object that are known; one without fields may hold anything. */
export interface KnownFields {
  readonly [name: string]: KnownFields;
}

/** Below spec of a Webhook. */
export const WEBHOOK_FIELDS: KnownFields = {
  auditLevel: {},
  k8sAuditingEnabled: {},
  auditSinkPolicy: {
    archivingRuleSelector: {
      matchLabels: {},
      matchExpressions: {
        key: {},
        operator: {},
        values: {},
      },
    },
    alertingRuleSelector: {
      matchLabels: {},
      matchExpressions: {
        key: {},
        operator: {},
        values: {},
      },
    },
  },
  archivingPriority: {},
  alertingPriority: {},
  receivers: {
    name: {},
    type: {},
    config: {
      url: {},
      service: {
        namespace: {},
        name: {},
        path: {},
        port: {},
        scheme: {},
      },
      bearerToken: {
        file: {},
        secret: {
          name: {},
          key: {},
        },
      },
      basicAuth: {
        username: {},
        password: {
          file: {},
          secret: {
            name: {},
            key: {},
          },
        },
      },
      clientCertificate: {
        certificate: {
          file: {},
          secret: {
            name: {},
            key: {},
          },
        },
        privateKey: {
          file: {},
          secret: {
            name: {},
            key: {},
          },
        },
      },
      signingKey: {
        file: {},
        secret: {
          name: {},
          key: {},
        },
      },
      headers: {
        name: {},
        value: {},
        valueFrom: {
          file: {},
          secret: {
            name: {},
            key: {},
          },
        },
      },
      caBundle: {},
    },
  },
  priority: {},
  auditType: {},
  auditing: {
    k8sAuditingEnabled: {},
  },
  replicas: {},
  image: {},
  imagePullPolicy: {},
  imagePullSecrets: {
    name: {},
  },
  args: {},
  resources: {
    limits: {},
    requests: {},
  },
  nodeSelector: {},
  affinity: {
    nodeAffinity: {},
    podAffinity: {},
    podAntiAffinity: {},
  },
  tolerations: {
    key: {},
    operator: {},
    value: {},
    effect: {},
    tolerationSeconds: {},
  },
  port: {},
  useHTTPS: {},
  spool: {
    size: {},
    storageClassName: {},
  },
};

/** Below spec of a Rule. */
export const RULE_FIELDS: KnownFields = {
  rules: {
    name: {},
    type: {},
    desc: {},
    condition: {},
    macro: {},
    list: {},
    alias: {},
    enable: {},
    output: {},
    priority: {},
  },
};
