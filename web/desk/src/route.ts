import { useSyncExternalStore } from 'react';

// Addresses are behind the hash, so that the page works below any path and needs nothing of the server:
// #/customers/C-100001, #/customers/C-100001/act_…, #/lists, #/report
export interface Route {
  view: 'home' | 'customers' | 'lists' | 'report';
  number?: string;
  entry?: string;
}

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [view, number, entry] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  if (view === 'customers' && number) return { view, number, entry };
  return view === 'lists' || view === 'report' ? { view } : { view: 'home' };
}

export const addressOf = (number: string, entry?: string): string =>
  `#/customers/${encodeURIComponent(number)}${entry ? `/${encodeURIComponent(entry)}` : ''}`;

export const go = (hash: string): void => {
  location.hash = hash;
};
