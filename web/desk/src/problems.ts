import type { CombinedError } from '@urql/core';

/** What went wrong with a whole request, or with what it was based on, as far as a person has to do something else about it. */
export type ProblemKind = 'offline' | 'signedOut' | 'tokenRefused' | 'forbidden' | 'tooMany' | 'busy' | 'invalid' | 'stale' | 'fault';

export interface Problem {
  kind: ProblemKind;
  message: string;
  retryAfterSeconds?: number;
  requestId?: string;
}

const KINDS: Record<string, ProblemKind> = {
  UNAUTHENTICATED: 'signedOut',
  TOKEN_EXPIRED: 'signedOut',
  FORBIDDEN: 'forbidden',
  DOCUMENT_NOT_TRUSTED: 'forbidden',
  BAD_USER_INPUT: 'invalid',
  RATE_LIMITED: 'tooMany',
  OVERLOADED: 'busy',
  UNAVAILABLE: 'busy',
  DEADLINE_EXCEEDED: 'busy',
};

const STATUSES: Record<number, ProblemKind> = { 401: 'signedOut', 403: 'forbidden', 429: 'tooMany', 503: 'busy' };

export function problemOf(error: CombinedError): Problem {
  const first = error.graphQLErrors[0];
  const { code, retryAfterSeconds, requestId } = (first?.extensions ?? {}) as {
    code?: string;
    retryAfterSeconds?: number;
    requestId?: string;
  };
  const status = (error.response as Response | undefined)?.status;
  const kind = (code && KINDS[code]) || (status && STATUSES[status]) || (error.networkError && !status ? 'offline' : 'fault');
  return { kind, message: first?.message ?? error.message, retryAfterSeconds, requestId };
}

/** Whether nobody can say if a change was made: only the same key may be sent again. */
export const isUncertain = ({ kind }: Problem): boolean => kind === 'offline' || kind === 'busy' || kind === 'fault';
