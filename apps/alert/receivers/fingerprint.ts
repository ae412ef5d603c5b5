import type { Texts } from './alert-text';

/** FNV-1a, 64 bit. */
const OFFSET = 14_695_981_039_346_656_037n;
const PRIME = 1_099_511_628_211n;
/** Stands behind each name and each value: no UTF-8 text has this byte. */
const SEPARATOR = 255;

/** The fingerprint by which Alertmanager knows an alert: 16 hexadecimal digits, made of its labels alone. */
export function fingerprintOf(labels: Texts): string {
  let hash = OFFSET;
  const add = (byte: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME);
  };
  const names = Object.keys(labels).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    for (const text of [name, labels[name] ?? '']) {
      Buffer.from(text).forEach(add);
      add(SEPARATOR);
    }
  }
  return hash.toString(16).padStart(16, '0');
}
