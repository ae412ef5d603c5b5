/**
 * What a caller needs for a call or a route. docs/access.md says of each call and route which it is; a test compares.
 *
 * - `open`: nothing.
 * - `gateway`: the client certificate of the gateway.
 * - `gateway or alert`: that of the gateway or of the alert service.
 * - `events`: to be known; it sees the events of its scope.
 * - `all events`: to see the events of all namespaces and of the cluster.
 * - `all events or rule`: that, or the certificate of the rule service.
 * - `rules`: to see the rules.
 * - `dead letters`: to send anew what was given up, or to remove it.
 */
export type Need =
  | 'open'
  | 'gateway'
  | 'gateway or alert'
  | 'events'
  | 'all events'
  | 'all events or rule'
  | 'rules'
  | 'dead letters';

/** The need of each gRPC call that any of our servers answers. A call that is not here is refused. */
export const RPC_NEEDS: Readonly<Record<string, Need>> = {
  '/auditing.v1.ArchiveService/Append': 'gateway',
  '/auditing.v1.ArchiveService/AppendStream': 'gateway',
  '/auditing.v1.ArchiveService/Search': 'events',
  '/auditing.v1.ArchiveService/Get': 'events',
  '/auditing.v1.ArchiveService/Statistics': 'events',
  '/auditing.v1.ArchiveService/Histogram': 'events',
  '/auditing.v1.ArchiveService/Facets': 'events',
  '/auditing.v1.ArchiveService/Tail': 'events',
  '/auditing.v1.ArchiveService/Export': 'events',
  '/auditing.v1.ArchiveService/ObjectHistory': 'events',
  '/auditing.v1.ArchiveService/Verify': 'all events',
  '/auditing.v1.ArchiveService/Stats': 'all events',
  '/auditing.v1.RuleService/Evaluate': 'gateway',
  '/auditing.v1.RuleService/EvaluateStream': 'gateway',
  '/auditing.v1.RuleService/Watch': 'gateway or alert',
  '/auditing.v1.RuleService/GetRuleSet': 'gateway or alert',
  '/auditing.v1.RuleService/ListRules': 'rules',
  '/auditing.v1.RuleService/Check': 'rules',
  '/auditing.v1.RuleService/Explain': 'rules',
  '/auditing.v1.RuleService/Test': 'rules',
  '/auditing.v1.AlertService/Raise': 'gateway',
  '/auditing.v1.AlertService/RaiseStream': 'gateway',
  '/auditing.v1.AlertService/List': 'events',
  '/auditing.v1.AlertService/Watch': 'events',
  '/auditing.v1.AlertService/Get': 'events',
  '/auditing.v1.AlertService/ListReceivers': 'all events or rule',
  '/auditing.v1.AlertService/TestReceiver': 'all events',
  '/auditing.v1.AlertService/Probe': 'all events',
  '/auditing.v1.AlertService/DeadLetters': 'all events',
  '/auditing.v1.AlertService/RedriveDeadLetters': 'dead letters',
  '/auditing.v1.AlertService/DeleteDeadLetters': 'dead letters',
  '/auditing.v1.GatewayService/SenderFiles': 'all events',
  '/grpc.health.v1.Health/Check': 'open',
  '/grpc.health.v1.Health/List': 'open',
  '/grpc.health.v1.Health/Watch': 'open',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'open',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'open',
};
