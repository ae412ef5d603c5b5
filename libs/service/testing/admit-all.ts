import type { Admit } from '../grpc-admission';

/** Lets everybody in. */
export const admitAll: Admit = ({ api }) => Promise.resolve(api);
