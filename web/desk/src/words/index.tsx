import { type ReactNode, createContext, useContext, useEffect, useMemo, useState } from 'react';

import { de } from './de';
import { type Words, en } from './en';
import { type Format, formatOf } from './format';

const LANGUAGES: Record<string, (format: Format) => Words> = { en, de };
export const LOCALES = [{ value: 'en', label: 'English' }, { value: 'de', label: 'Deutsch' }];
const KEY = 'customer-gateway:desk:language';

interface Labelled {
  label: string;
  translations: { language: string; text: string }[];
}

interface Said {
  t: Words;
  format: Format;
  /** The name of a field of the company's own catalogue, in this language if the catalogue has it. */
  labelOf: (field: Labelled) => string;
  locale: string;
  setLocale: (locale: string) => void;
}

const Context = createContext<Said | undefined>(undefined);

export function useWords(): Said {
  const said = useContext(Context);
  if (!said) throw new Error('useWords outside of WordsProvider');
  return said;
}

const preferred = (): string => {
  const kept = localStorage.getItem(KEY);
  if (kept && kept in LANGUAGES) return kept;
  return navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in LANGUAGES) ?? 'en';
};

export function WordsProvider({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState(preferred);
  useEffect(() => {
    document.documentElement.lang = locale;
    localStorage.setItem(KEY, locale);
  }, [locale]);
  const value = useMemo(() => {
    // The region of the reader's own settings: 1 December is written otherwise in London and New York.
    const format = formatOf(navigator.languages.find((each) => each.startsWith(locale)) ?? locale);
    const labelOf = ({ label, translations }: Labelled) => translations.find(({ language }) => language === locale)?.text ?? label;
    return { t: LANGUAGES[locale]!(format), format, labelOf, locale, setLocale };
  }, [locale]);
  return <Context value={value}>{children}</Context>;
}
