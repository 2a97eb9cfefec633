import { createContext, use } from 'react';

/** What a page whose token has ended can do about it. */
export interface Identity {
  /** Whether the token has time left: the gateway refuses it for another reason than its age. */
  isFresh: () => boolean;
  /** Signs in again. Throws SignInError. */
  signIn: () => Promise<void>;
}

const Context = createContext<Identity>({ isFresh: () => false, signIn: async () => location.reload() });

export const IdentityProvider = Context;
export const useIdentity = (): Identity => use(Context);
