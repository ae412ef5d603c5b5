/** No event can be read from a body. */
export class BodyError extends Error {
  override readonly name = 'BodyError';

  constructor(
    message: string,
    /** Where: a path such as `$.items[3]`, or `byte 17`. */
    readonly at: string,
  ) {
    super(message);
  }
}
