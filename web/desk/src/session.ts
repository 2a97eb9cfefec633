import { ErrorResponse, ErrorTimeout, InMemoryWebStorage, type User, UserManager, WebStorageStateStore } from 'oidc-client-ts';

import type { Provider } from './config';

/** Why nobody is signed in. */
export type SignInFault = 'unreachable' | 'denied' | 'lost' | 'insecure' | 'failed';

/** Thrown if signing in failed; the message is the provider's own. */
export class SignInError extends Error {
  constructor(readonly fault: SignInFault, message: string) {
    super(message);
  }
}

const RENEWAL_SECONDS = 30; // before the end of a token
const POPUP = 'customer-gateway-sign-in';
const LOST = 'No matching state found in storage'; // the library has no class for it

/**
 * Who signed in at a provider of OpenID Connect, by the code flow with PKCE. Tokens are in memory only: they are gone
 * with the page. The one-time state of a sign-in is in the session storage, because the page goes away and comes back.
 */
export class Session {
  readonly #manager: UserManager;
  #user: User | null = null;
  #renewal: Promise<unknown> | undefined;

  constructor({ authority, clientId, scope, audience }: Provider) {
    const page = location.origin + location.pathname.replace(/\/$/, '');
    this.#manager = new UserManager({
      authority,
      client_id: clientId,
      scope,
      redirect_uri: page,
      post_logout_redirect_uri: page,
      extraQueryParams: { audience }, // some providers (Auth0) ask whom the token is for; others ignore it
      requestTimeoutInSeconds: 10,
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: sessionStorage, prefix: 'customer-gateway:sign-in:' }),
      automaticSilentRenew: false, // without a refresh token it would try a frame, which our policy forbids
      accessTokenExpiringNotificationTimeInSeconds: RENEWAL_SECONDS,
      popupWindowTarget: POPUP,
    });
    this.#manager.events.addUserLoaded((user) => {
      this.#user = user;
    });
    this.#manager.events.addAccessTokenExpiring(() => void this.#renew());
  }

  get subject(): string | undefined {
    return this.#user?.profile.sub;
  }

  /** Whether the token has time left, by the clock of this machine. */
  get isFresh(): boolean {
    return this.#secondsLeft > 0;
  }

  get #secondsLeft(): number {
    return this.#user ? (this.#user.expires_in ?? Infinity) : 0;
  }

  /** Takes up what the provider sent the visitor back with. Returns whether they have just signed out. Throws SignInError. */
  async arrive(): Promise<boolean> {
    const given = new URLSearchParams(location.search);
    const url = location.href;
    if (!given.has('state')) return false;
    history.replaceState(null, '', location.pathname); // its code is used up by now
    if (opener && window.name === POPUP) {
      await this.#manager.signinPopupCallback(url); // closes this window; the one that opened it goes on
      return new Promise(() => undefined);
    }
    try {
      if (!given.has('code') && !given.has('error')) {
        await this.#manager.signoutRedirectCallback(url);
        return true;
      }
      comeBack(await this.#manager.signinRedirectCallback(url));
    } catch (error) {
      if (error instanceof ErrorResponse) comeBack(error);
      throw faultOf(error);
    }
    return false;
  }

  /** Leaves for the provider, which sends the visitor back to where they are now. Throws SignInError. */
  async signIn(): Promise<void> {
    await this.#check();
    await this.#manager.signinRedirect({ state: location.hash }).catch(raise);
    // By now the page is leaving; it goes on only if the visitor comes back with the browser's button.
    await new Promise<void>((resolve) => addEventListener('pageshow', ({ persisted }) => persisted && resolve()));
  }

  /** Signs in again in another window, so that what is written on this page stays. Throws SignInError. */
  async signInAgain(): Promise<void> {
    await this.#check();
    await this.#manager.signinPopup().catch(raise);
  }

  /** Ends the session here, and at the provider if that can be asked for. */
  async signOut(): Promise<void> {
    const { end_session_endpoint, revocation_endpoint } = await this.#manager.metadataService.getMetadata();
    // A provider that is away cannot revoke: the token is forgotten all the same, and ends by itself.
    if (revocation_endpoint) await this.#manager.revokeTokens(['refresh_token']).catch(() => undefined);
    this.#user = null;
    if (end_session_endpoint) await this.#manager.signoutRedirect({ state: location.hash });
    else await this.#manager.removeUser();
  }

  /** Returns the headers that make a request this person's; renews a token that has ended, as after a computer's sleep. */
  async headers(): Promise<Record<string, string>> {
    if (!this.isFresh) await this.#renew();
    return this.#user ? { Authorization: `Bearer ${this.#user.access_token}` } : {};
  }

  /** Renews by the refresh token, once at a time. If it fails, the gateway will say that the token has ended. */
  #renew(): Promise<unknown> {
    if (!this.#user?.refresh_token) return Promise.resolve();
    this.#renewal ??= this.#manager
      .signinSilent()
      .catch((error: unknown) => console.warn('The sign-in could not be renewed.', error))
      .finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #check(): Promise<void> {
    if (!isSecureContext) throw new SignInError('insecure', location.origin);
    await this.#manager.metadataService.getMetadata().catch((error: unknown) => {
      throw new SignInError('unreachable', messageOf(error));
    });
  }
}

/** Leads back to the place that the visitor left for the provider. */
function comeBack({ state }: { state?: unknown }): void {
  if (typeof state === 'string') history.replaceState(null, '', location.pathname + state);
}

function raise(error: unknown): never {
  throw faultOf(error);
}

function faultOf(error: unknown): SignInError {
  const message = messageOf(error);
  if (error instanceof ErrorResponse) return new SignInError(error.error === 'access_denied' ? 'denied' : 'failed', message);
  if (error instanceof TypeError || error instanceof ErrorTimeout) return new SignInError('unreachable', message);
  return new SignInError(message === LOST ? 'lost' : 'failed', message);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
