/** What ts-proto says of each method of a service, as far as calls need it. */
interface MethodShape<Req, Res> {
  readonly path: string;
  readonly requestSerialize: (value: Req) => Buffer;
  readonly requestDeserialize: (value: Buffer) => Req;
  readonly responseSerialize: (value: Res) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Res;
}

/** One request, one answer. */
export interface UnaryMethod<Req, Res> extends MethodShape<Req, Res> {
  readonly requestStream: false;
  readonly responseStream: false;
}

/** One request, a stream of answers. */
export interface ServerStreamingMethod<Req, Res> extends MethodShape<Req, Res> {
  readonly requestStream: false;
  readonly responseStream: true;
}

/** A stream of requests, a stream of answers. */
export interface BidiMethod<Req, Res> extends MethodShape<Req, Res> {
  readonly requestStream: true;
  readonly responseStream: true;
}
