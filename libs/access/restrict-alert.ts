import { status } from '@grpc/grpc-js';
import { AlertKind, type AlertServiceService, type AlertStatus } from '@auditing/proto/alert';
import type { Scope } from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { inScope } from './in-scope';
import { notForCallers, streamNotForCallers } from './not-for-callers';

type AlertApi = Api<typeof AlertServiceService>;

/** Whether an alert may be seen by whoever has this scope; undefined stands for everything. */
export function alertInScope({ alert, kind }: AlertStatus, scope: Scope | undefined): boolean {
  if (scope === undefined) return true;
  // A digest tells of all events of a rule, whoever may see them.
  return alert?.event !== undefined && kind !== AlertKind.DIGEST && inScope(alert.event, scope);
}

/** The alert service as somebody sees it who may see this scope alone: alerts of events in it. */
export function restrictAlert(service: AlertApi, scope: Scope): AlertApi {
  const isVisible = (one: AlertStatus): boolean => alertInScope(one, scope);
  return {
    raise: () => Promise.reject(notForCallers()),
    raiseStream: () => streamNotForCallers(),
    async list(request, signal) {
      // Part of the question, so that pages are full; and of the answer, for a service of an older release.
      const answer = await service.list({ ...request, scope }, signal);
      return { ...answer, alerts: answer.alerts.filter(isVisible) };
    },
    async *watch(request, signal) {
      for await (const one of service.watch(request, signal)) if (isVisible(one)) yield one;
    },
    async get(request, signal) {
      const alert = await service.get(request, signal);
      if (isVisible(alert)) return alert;
      // One that may not be seen is as one that is not there.
      throw new RpcError(status.NOT_FOUND, `no alert ${request.id.toString('hex')}`);
    },
    listReceivers: () => Promise.reject(notForCallers()),
    testReceiver: () => Promise.reject(notForCallers()),
    probe: () => Promise.reject(notForCallers()),
    deadLetters: () => Promise.reject(notForCallers()),
    redriveDeadLetters: () => Promise.reject(notForCallers()),
    deleteDeadLetters: () => Promise.reject(notForCallers()),
  };
}
