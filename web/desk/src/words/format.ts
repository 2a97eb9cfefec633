/** Numbers, dates and money as the reader's language writes them. */
export type Format = ReturnType<typeof formatOf>;

interface Money {
  amount: string;
  currency: string;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3_600], ['minute', 60],
];

export function formatOf(locale: string) {
  const plurals = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  const signed = new Intl.NumberFormat(locale, { signDisplay: 'exceptZero' });
  const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
  const days = new Intl.DateTimeFormat(locale, { dateStyle: 'full' });
  const shortDates = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: '2-digit' });
  const times = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
  const dateTimes = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const relatives = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const lists = new Intl.ListFormat(locale);
  const countries = new Intl.DisplayNames(locale, { type: 'region', fallback: 'code' });
  const languages = new Intl.DisplayNames(locale, { type: 'language', fallback: 'code' });
  const currencies = new Map<string, Intl.NumberFormat>();

  /** Amounts are strings, and stay exact. A code that is not a currency's is shown as it is. */
  function money({ amount, currency }: Money): string {
    try {
      let made = currencies.get(currency);
      if (!made) currencies.set(currency, (made = new Intl.NumberFormat(locale, { style: 'currency', currency })));
      return made.format(amount as Intl.StringNumericLiteral);
    } catch {
      return `${amount} ${currency}`;
    }
  }

  return {
    money,
    number: (number: number) => numbers.format(number),
    signed: (number: number) => signed.format(number),
    date: (time: string) => dates.format(new Date(time)),
    day: (time: string) => days.format(new Date(time)),
    shortDate: (time: Date) => shortDates.format(time),
    time: (time: string) => times.format(new Date(time)),
    dateTime: (time: string) => dateTimes.format(new Date(time)),
    timeIn: (time: Date, timeZone: string) => new Intl.DateTimeFormat(locale, { timeStyle: 'short', timeZone }).format(time),
    list: (names: string[]) => lists.format(names),
    /** A name within a sentence, whichever way it is written: what stands beside it keeps its place. */
    name: (name: string) => `\u2068${name}\u2069`,
    country: (code: string) => (/^[A-Z]{2}$/.test(code) ? (countries.of(code) ?? code) : code),
    language(code: string): string {
      try {
        return languages.of(code) ?? code;
      } catch {
        return code;
      }
    },
    relative(time: string, now: Date): string {
      const seconds = (Date.parse(time) - now.getTime()) / 1000;
      const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['minute', 60];
      return relatives.format(Math.round(seconds / length), unit);
    },
    /** The form of this number, with the number in it. */
    plural: (number: number, one: string, other: string) =>
      (plurals.select(number) === 'one' ? one : other).replace('#', numbers.format(number)),
  };
}
