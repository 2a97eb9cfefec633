import { useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';

import { type EntryFragment, LiveDocument, ViewersDocument, type ViewersSubscription } from '../generated/graphql';

interface Ears {
  onAdded: (entry: EntryFragment) => void;
  onChanged: (entry: EntryFragment) => void;
  /** Something else of the customer is not what it was. */
  onStale: () => void;
  /** More is not what it was than is told: their rows are to be read again. */
  onReset: () => void;
}

const SILENCE_MS = 60_000;
const pause = () => 500 + Math.random() * 1500; // not all at once, where a process has left
/** Codes after which nobody has to come back: these rights are gone. A token that has ended may have been renewed. */
const FINAL = ['FORBIDDEN', 'UNAUTHENTICATED', 'BAD_USER_INPUT'];

/** Follows a customer, who was read as of a revision, for as long as the page is open.
 *
 * The last cursor is kept over breaks, so that nothing is missed; nor is what happened before there was one.
 */
export function useLive(customerId: string, revision: number, ears: Ears): boolean {
  const client = useClient();
  const current = useRef(ears);
  const seen = useRef(revision);
  const [isLive, setLive] = useState(false);
  useEffect(() => {
    current.current = ears;
    seen.current = revision;
  });

  useEffect(() => {
    let after: string | null = null;
    let ended = false;
    let stop = () => undefined as void;
    let timer: ReturnType<typeof setTimeout>;

    function comeBack(ms = pause()) {
      stop();
      setLive(false);
      clearTimeout(timer);
      if (!ended) timer = setTimeout(listen, ms);
    }

    function listen() {
      const { unsubscribe } = client.subscription(LiveDocument, { id: customerId, after }).subscribe(({ data, error }) => {
        if (error) {
          const code = error.graphQLErrors[0]?.extensions.code;
          ended ||= FINAL.includes(String(code));
          return void setTimeout(comeBack); // not from within its own subscriber
        }
        const event = data?.customerActivity;
        if (!event) return;
        const hasMissed = after === null && event.revision > seen.current;
        after = event.cursor;
        setLive(true);
        clearTimeout(timer);
        timer = setTimeout(comeBack, SILENCE_MS);
        if (event.kind === 'ADDED' && event.activity) current.current.onAdded(event.activity);
        else if (event.kind === 'CHANGED' && event.activity) current.current.onChanged(event.activity);
        if (event.kind === 'RESET' || hasMissed) current.current.onReset();
        if (event.kind !== 'HEARTBEAT' || hasMissed) current.current.onStale();
      });
      stop = unsubscribe;
    }

    listen();
    const online = () => comeBack(0);
    addEventListener('online', online);
    return () => {
      ended = true;
      removeEventListener('online', online);
      clearTimeout(timer);
      stop();
    };
  }, [client, customerId]);
  return isLive;
}

type Colleague = ViewersSubscription['viewersOfCustomer'][number];

/** Who else has this customer open. */
export function useColleagues(customerId: string, own: string | undefined): Colleague[] {
  const client = useClient();
  const [viewers, setViewers] = useState<Colleague[]>([]);
  useEffect(() => {
    let stop = () => undefined as void;
    let timer: ReturnType<typeof setTimeout>;
    let ended = false;
    function listen() {
      const { unsubscribe } = client.subscription(ViewersDocument, { id: customerId }).subscribe(({ data, error }) => {
        if (data) setViewers(data.viewersOfCustomer);
        if (!error) return;
        setViewers([]);
        const code = error.graphQLErrors[0]?.extensions.code;
        if (!ended && !FINAL.includes(String(code))) timer = setTimeout(() => { stop(); listen(); }, pause());
      });
      stop = unsubscribe;
    }
    listen();
    return () => {
      ended = true;
      clearTimeout(timer);
      stop();
    };
  }, [client, customerId]);
  return viewers.filter(({ viewer }) => viewer.userId !== own);
}
