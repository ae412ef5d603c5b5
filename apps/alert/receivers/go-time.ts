import type { Timestamp } from '@auditing/proto/timestamp';

/**
 * A moment as Go prints it: `2026-11-23 16:57:47.177852 +0000 UTC`, zeros at the end of the fraction left out.
 * Silences and routes that people have were written against this form. Empty without a moment.
 */
export function goTime(at: Timestamp | undefined): string {
  if (at === undefined) return '';
  const millis = Number(at.seconds) * 1_000;
  if (!Number.isFinite(new Date(millis).getTime())) return '';
  const [day = '', time = ''] = new Date(millis).toISOString().split('T');
  const fraction = String(at.nanos).padStart(9, '0').replace(/0+$/, '');
  return `${day} ${time.slice(0, 8)}${fraction && `.${fraction}`} +0000 UTC`;
}
