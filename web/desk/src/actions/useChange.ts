import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useRef, useState } from 'react';
import { useClient } from 'urql';

import type { RefusedFragment } from '../generated/graphql';
import { type Problem, isUncertain, problemOf } from '../problems';

interface Payload {
  userErrors: RefusedFragment[];
}

/** What is known of a change that is not made yet, for a form that is opened again. */
export interface Attempt {
  key: string;
  problem?: Problem;
}

/** Makes a change. Its key is kept until the gateway answers: a repeat after a cut of the network is the same change.
 *
 * As long as nobody knows whether it was made (`isUncertain`), the form is not to be edited: other content would need
 * another key, and both might be made.
 */
export function useChange<Data, Input extends { idempotencyKey?: string | null }, Made extends Payload>(
  document: TypedDocumentNode<Data, { input: Input }>,
  payloadOf: (data: Data) => Made | null | undefined,
  before?: Attempt,
) {
  const client = useClient();
  const key = useRef<string>(before?.key ?? crypto.randomUUID());
  const [isPending, setPending] = useState(false);
  const [problem, setProblem] = useState(before?.problem);
  const [errors, setErrors] = useState<RefusedFragment[]>([]);

  async function send(input: Omit<Input, 'idempotencyKey'>): Promise<Made | undefined> {
    setPending(true);
    const { data, error } = await client.mutation(document, { input: { ...input, idempotencyKey: key.current } as Input }).toPromise();
    setPending(false);
    const made = data ? payloadOf(data) : undefined;
    const stale = made?.userErrors.find(({ code }) => code === 'STALE');
    setProblem(stale ? { kind: 'stale', message: stale.message } : error && !made ? problemOf(error) : undefined);
    setErrors((made?.userErrors ?? []).filter((each) => each !== stale));
    if (!made) return undefined;
    // Its answer is there: what is sent next is another change, also after a refusal.
    key.current = crypto.randomUUID();
    return made.userErrors.length ? undefined : made;
  }

  const messageOf = (field: string) => errors.find((error) => error.field.includes(field))?.message;
  return {
    send,
    isPending,
    problem,
    /** Whoever leaves before the answer is there does not know the outcome. */
    attempt: (): Attempt => ({ key: key.current, problem: isPending ? { kind: 'offline', message: '' } : problem }),
    errors,
    /** Whether the customer is not what was shown when this was asked for. Nothing was changed. */
    isStale: problem?.kind === 'stale',
    isUncertain: problem !== undefined && isUncertain(problem),
    errorOf: messageOf,
    /** The refusals that belong to none of these inputs. */
    otherErrors: (fields: string[]) =>
      errors.filter((error) => !fields.some((field) => error.field.includes(field))).map(({ message }) => message),
    reset: () => {
      key.current = crypto.randomUUID();
      setProblem(undefined);
      setErrors([]);
    },
  };
}
