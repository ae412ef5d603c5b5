import { discover, type Ask, type Place } from './discovery';

const SERVICE = new URL('http://alertmanager.invalid:9093/prefix');

/** Instances by their address, each with its name; the Service reaches the first. */
function cluster(names: Readonly<Record<string, string>>, peers = names): Ask {
  const list = Object.entries(peers).map(([address, name]) => ({
    name,
    address: `${address}:9094`,
  }));
  return ({ address }: Place) => {
    const name = address === undefined ? Object.values(names)[0] : names[address];
    return Promise.resolve(name && JSON.stringify({ cluster: { name, peers: list } }));
  };
}

function addressesOf(places: readonly Place[]): (string | undefined)[] {
  return places.map(({ address }) => address);
}

describe('discovery of instances', () => {
  test('takes the peers in place of a Service when each is reached under its own name', async () => {
    const places = await discover([SERVICE], cluster({ '10.0.0.1': 'a', '10.0.0.2': 'b' }));
    expect(addressesOf(places)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(places.every(({ url }) => url === SERVICE)).toBe(true);
  });

  test('keeps the Service when a peer cannot be reached, or another one answers', async () => {
    const peers = { '10.0.0.1': 'a', '10.0.0.2': 'b', '10.0.0.3': 'c' };
    const ask = cluster({ '10.0.0.1': 'a', '10.0.0.2': 'somebody else' }, peers);
    expect(addressesOf(await discover([SERVICE], ask))).toEqual([undefined, '10.0.0.1']);
  });

  test.each([
    '',
    'null',
    '{}',
    '[]',
    '{"cluster":{"status":"disabled"}}',
    '{"cluster":{"peers":[{}]}}',
  ])('makes do with what it was given when the answer is %j', async (text) => {
    expect(await discover([SERVICE], () => Promise.resolve(text))).toEqual([{ url: SERVICE }]);
  });

  test('asks nobody when several urls are given', async () => {
    const urls = [new URL('http://127.0.0.1:1'), new URL('http://[::1]:2')];
    const ask = (): Promise<never> => Promise.reject(new Error('asked'));
    expect(await discover(urls, ask)).toEqual(urls.map((url) => ({ url })));
  });
});
