import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Parser } from '@auditing/service/setting-parsers';

/** Addresses that no receiver may have. */
export interface BlockedAddresses {
  readonly has: (address: string) => boolean;
}

/** Networks, parted by commas. */
export const blockedAddresses: Parser<BlockedAddresses> = {
  expected: 'networks such as 169.254.0.0/16 or fd00::/8, parted by commas, or nothing',
  unit: 'networks',
  parse(value) {
    const list = new BlockList();
    for (const network of value.split(',').map((one) => one.trim())) {
      if (network === '') continue;
      const [address = '', bits = ''] = network.split('/');
      const family = familyOf(address);
      if (family === undefined || !/^\d{1,3}$/.test(bits)) throw new TypeError();
      list.addSubnet(address, Number(bits), family);
    }
    return {
      has(address) {
        const family = familyOf(address);
        return family !== undefined && list.check(address, family);
      },
    };
  },
};

/** Looks a name up, and leaves blocked addresses out. What is connected to is what was looked at: no second lookup. */
export function lookupAllowed(blocked: BlockedAddresses): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      const allowed = error ? [] : found.filter(({ address }) => !blocked.has(address));
      const [first] = allowed;
      if (first === undefined) callback(error ?? blockedError(host), '');
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** @throws Error if the address is blocked. */
export function checkAddress(address: string, blocked: BlockedAddresses): void {
  if (blocked.has(address)) throw blockedError(address);
}

function blockedError(host: string): Error {
  return new Error(`${host} has an address that AUDITING_ALERT_BLOCKED_ADDRESSES blocks`);
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  switch (isIP(address)) {
    case 4:
      return 'ipv4';
    case 6:
      return 'ipv6';
    default:
      return undefined;
  }
}
