import { type ReactNode, createContext, useContext, useEffect, useState } from 'react';

const Announce = createContext<(text: string) => void>(() => undefined);

/** Returns a function that shows a sentence for a while, and has it read out. */
export const useNotice = () => useContext(Announce);

export function Notice({ children }: { children: ReactNode }) {
  const [text, setText] = useState('');
  useEffect(() => {
    if (!text) return;
    const timer = setTimeout(() => setText(''), 6_000);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Announce value={setText}>
      {children}
      <div role="status" className={text ? 'notice' : undefined}>{text}</div>
    </Announce>
  );
}
