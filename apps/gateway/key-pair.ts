import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { KeyPair } from '@auditing/service/certificates';

/** Reads a pair; throws, naming the files, if one cannot be read or they do not belong together. */
export async function readKeyPair(certPath: string, keyPath: string): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(certPath, 'utf8'), readFile(keyPath, 'utf8')]);
  const where = `${certPath} and ${keyPath}`;
  let matches: boolean;
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new Error(`expected a PEM certificate and a PEM private key in ${where}`, { cause });
  }
  if (!matches) throw new Error(`expected the private key of the certificate in ${where}`);
  return { cert, key };
}
