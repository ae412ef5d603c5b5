import { z } from 'zod';

/** One condition of a status, as Kubernetes has them. */
export const CONDITION = z
  .object({
    type: z.string().describe('What it is about, such as Ready.'),
    status: z.string().describe('True, False or Unknown.'),
    observedGeneration: z.int().optional().describe('metadata.generation that it speaks of.'),
    lastTransitionTime: z.string().optional().describe('When the status last changed, RFC 3339.'),
    reason: z.string().optional().describe('One word for machines.'),
    message: z.string().optional().describe('What is so, and what to do, for people.'),
  })
  .describe('One thing that is so, or is not.');

/** Conditions by type, so that several writers each own theirs. */
export const CONDITIONS = z
  .array(CONDITION)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** One condition of a status. */
export type Condition = z.infer<typeof CONDITION>;
