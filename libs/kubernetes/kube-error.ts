/** What the API server said when it refused, or code 0 if it was not reached. */
export class KubeError extends Error {
  override readonly name = 'KubeError';

  constructor(
    /** HTTP status; 0 for a connection that failed. */
    readonly code: number,
    message: string,
    /** `reason` is Kubernetes' one word for it, such as `Conflict`. */
    readonly details: ErrorOptions & { readonly reason?: string } = {},
  ) {
    super(message, details);
  }
}

/** Whether an error is an answer of the API server with this status. */
export function hasCode(error: unknown, code: number): boolean {
  return error instanceof KubeError && error.code === code;
}

/** The history that a watch or a list wanted to go on from is gone: list anew. */
export const EXPIRED = 410;
/** Somebody else changed the object in between, or created it first. */
export const CONFLICT = 409;
export const NOT_FOUND = 404;

/** Makes the error of a `Status` object, which is how Kubernetes says what went wrong. */
export function errorOfStatus(
  status: unknown,
  fallback: { code: number; where: string },
): KubeError {
  const { code, reason, message } = (status ?? {}) as {
    readonly code?: unknown;
    readonly reason?: unknown;
    readonly message?: unknown;
  };
  const number = typeof code === 'number' && code > 0 ? code : fallback.code;
  const words = typeof message === 'string' && message !== '' ? message : `status ${number}`;
  return new KubeError(number, `${fallback.where}: ${words}`, {
    ...(typeof reason === 'string' && { reason }),
  });
}
