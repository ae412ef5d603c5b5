/** An address as 16 bytes; IPv4 as `::ffff:a.b.c.d`, so that both spellings of one address are the same. */
type Address = Uint8Array;

/** A range of addresses in CIDR notation. */
export interface IpRange {
  has(address: Address): boolean;
}

/**
 * Reads an address such as `10.0.0.8`, `fe80::1` or `::ffff:10.0.0.8`; undefined if it is none. A zone
 * (`fe80::1%eth0`) is passed over.
 */
export function parseAddress(text: string): Address | undefined {
  const [bare = ''] = text.split('%', 1);
  if (!bare.includes(':')) {
    const four = parseFour(bare);
    return four && Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...four]);
  }
  return parseSixteen(bare);
}

/** Reads a range such as `10.0.0.0/8` or `fc00::/7`, or a single address; undefined if it is none. */
export function parseIpRange(text: string): IpRange | undefined {
  const [addressText = '', bitsText, ...rest] = text.split('/');
  const network = parseAddress(addressText);
  if (network === undefined || rest.length > 0) return undefined;
  const width = addressText.includes(':') ? 128 : 32;
  if (bitsText !== undefined && !/^\d{1,3}$/.test(bitsText)) return undefined;
  const bits = bitsText === undefined ? width : Number(bitsText);
  if (bits > width) return undefined;
  const prefix = bits + 128 - width;
  return { has: (address) => hasPrefix(address, network, prefix) };
}

function hasPrefix(address: Address, network: Address, bits: number): boolean {
  for (let i = 0; i * 8 < bits; i += 1) {
    const unused = Math.max(0, (i + 1) * 8 - bits);
    if ((address[i] ?? 0) >> unused !== (network[i] ?? 0) >> unused) return false;
  }
  return true;
}

function parseFour(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part)))
    return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseSixteen(text: string): Address | undefined {
  const [head = '', tail, ...rest] = text.split('::');
  if (rest.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  const after = parseGroups(tail ?? '', true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...before, ...Array<number>(missing).fill(0), ...after]);
}

function parseGroups(text: string, mayEndInFour: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    const four = mayEndInFour && i === groups.length - 1 ? parseFour(group) : undefined;
    if (four !== undefined) bytes.push(...four);
    else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff);
    } else return undefined;
  }
  return bytes;
}
