/** Who this visit may be, filled in by the demo. Empty elsewhere: the visitor brings a token. */
export interface Person {
  label: string;
  headers: Record<string, string>;
}

const text = document.getElementById('config')?.textContent ?? '{}';
export const people: Person[] = (JSON.parse(text) as { viewers?: Person[] }).viewers ?? [];

// Each browser tab may be somebody else. Only the label is kept: tokens come with the page, and go with it.
const KEY = 'customer-gateway:viewer';

export const recall = (): Person | undefined =>
  people.find(({ label }) => label === sessionStorage.getItem(KEY)) ?? people[0];

export const remember = ({ label }: Person): void => sessionStorage.setItem(KEY, label);
