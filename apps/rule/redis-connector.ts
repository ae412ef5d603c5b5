import { StandaloneConnector } from 'ioredis/built/connectors';
import type { StandaloneConnectionOptions } from 'ioredis';

/**
 * Connects ioredis so that no error of a connection ends the process, and a broken connection is let go of at once.
 *
 * ioredis listens for one error of a connection, and counts on its end to follow. A TLSSocket emits what breaks TLS
 * after the handshake without ending (`_emitTLSError` in Node's `lib/_tls_wrap.js`), and even when it is destroyed
 * already. So a second error can come that nobody listens for: the server's alert after a certificate that is not
 * trusted, a reset, or the next write.
 */
export class RedisConnector extends StandaloneConnector {
  /** As ioredis calls it; it knows no type for the options. */
  constructor(options: unknown) {
    super(options as StandaloneConnectionOptions);
  }

  override async connect(
    ...args: Parameters<StandaloneConnector['connect']>
  ): ReturnType<StandaloneConnector['connect']> {
    const stream = await super.connect(...args);
    stream.on('error', () => stream.destroy());
    return stream;
  }
}
