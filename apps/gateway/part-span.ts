import { batchName } from '@auditing/audit-event/batch-name';
import type { Span, Tracing } from '@auditing/service/tracing';
import type { SpoolPart } from './spool';

/** Begins a step of the pipeline in the trace of the POST that brought the part. Not traced if that was not. */
export function partSpan(tracing: Tracing, step: string, { batch, traceParent }: SpoolPart): Span {
  return tracing.step(step, traceParent, {
    attributes: { 'auditing.batch': batchName(batch.id), 'auditing.events': batch.eventCount },
  });
}
