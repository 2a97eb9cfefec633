import type { Session } from './session';

/** Who asks: the label names them on this page, and the headers make a request theirs. */
export interface Person {
  label: string;
  headers: () => Promise<Record<string, string>>;
  /** Of those who signed in at a provider. */
  session?: Session;
}

/** Where one signs in, by OpenID Connect. */
export interface Provider {
  authority: string;
  clientId: string;
  scope: string;
  audience: string;
}

interface Config {
  /** Whom the demo lets one be. */
  viewers?: { label: string; headers: Record<string, string> }[];
  oidc?: Provider;
}

// Data of the page. With neither of both, the visitor brings a token.
const { viewers = [], oidc } = JSON.parse(document.getElementById('config')?.textContent ?? '{}') as Config;
export const people: Person[] = viewers.map(({ label, headers }) => ({ label, headers: () => Promise.resolve(headers) }));
export const provider = oidc;

// Each browser tab may be somebody else. Only the label is kept: tokens come with the page, and go with it.
const KEY = 'customer-gateway:viewer';

export const recall = (): Person | undefined =>
  people.find(({ label }) => label === sessionStorage.getItem(KEY)) ?? people[0];

export const remember = ({ label }: Person): void => sessionStorage.setItem(KEY, label);
