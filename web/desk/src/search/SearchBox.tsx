import { Badge, Paper, Text, TextInput } from '@mantine/core';
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';

import { SearchDocument, type SearchQuery } from '../generated/graphql';
import { problemOf } from '../problems';
import { addressOf, go } from '../route';
import { useWords } from '../words';

type Hit = NonNullable<SearchQuery['search']>[number];

/** One box for everything that a caller may name. "/" focuses it, arrows choose, Enter opens; one hit opens at Enter. */
export function SearchBox() {
  const { t } = useWords();
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(0);
  const [opensAtOnce, setOpensAtOnce] = useState(false);
  const [settled] = useDebouncedValue(text.trim(), 150);
  const [{ data, error, fetching }] = useQuery({ query: SearchDocument, variables: { text: settled }, pause: settled.length < 2 });
  const isCurrent = settled === text.trim() && settled.length >= 2 && !fetching;
  const hits = isCurrent ? (data?.search ?? []).filter((hit) => hit.customer) : [];

  useHotkeys([['/', (event) => { event.preventDefault(); box.current?.focus(); box.current?.select(); }]]);
  useEffect(() => setChosen(0), [settled]);

  function open(hit: Hit | undefined) {
    if (!hit?.customer) return;
    go(addressOf(hit.customer.number));
    setOpen(false);
    setOpensAtOnce(false);
    setText('');
    box.current?.blur();
  }

  // Enter before the answer is there: what is likeliest, or the only one, opens when it comes.
  useEffect(() => {
    if (!opensAtOnce || !isCurrent) return;
    setOpensAtOnce(false);
    if (hits.length === 1) open(hits[0]);
  });

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'ArrowDown') setChosen(Math.min(chosen + 1, hits.length - 1));
    else if (event.key === 'ArrowUp') setChosen(Math.max(chosen - 1, 0));
    else if (event.key === 'Enter') isCurrent ? open(hits[chosen]) : setOpensAtOnce(true);
    else if (event.key === 'Escape') setOpen(false);
    else return;
    event.preventDefault();
  }

  const isListShown = isOpen && isCurrent;
  return (
    <search className="search">
      <TextInput
        ref={box} type="search" role="combobox" aria-label={t.search} placeholder={t.searchHint} value={text}
        aria-expanded={isListShown} aria-controls="hits" aria-autocomplete="list" autoComplete="off"
        aria-activedescendant={isListShown && hits.length ? `hit-${chosen}` : undefined}
        onChange={(event) => { setText(event.currentTarget.value); setOpen(true); setOpensAtOnce(false); }}
        onFocus={() => setOpen(true)} onBlur={() => setOpen(false)} onKeyDown={onKeyDown}
      />
      <Paper className="hits" id="hits" role="listbox" aria-label={t.hits} shadow="md" withBorder hidden={!isListShown}>
        {hits.map((hit, index) => (
          <div
            key={hit.customer!.id} id={`hit-${index}`} role="option" aria-selected={index === chosen} className="hit"
            onMouseDown={(event) => { event.preventDefault(); open(hit); }} onMouseEnter={() => setChosen(index)}
          >
            <Text component="span" fw={600} dir="auto">{hit.customer!.name}</Text>{' '}
            <Text component="span" size="sm">{hit.customer!.number}</Text>{' '}
            {hit.customer!.status !== 'ACTIVE' && <Badge size="sm" color="red" variant="filled">{t.statuses[hit.customer!.status]}</Badge>}
            <Text size="xs" className="dim">
              {hit.matches.map(({ kind, value }) => `${t.matches[kind]}: ${value}`).join(' · ')}
            </Text>
          </div>
        ))}
        {isListShown && hits.length === 0 && (
          <div role="option" aria-selected={false} aria-disabled className="hit">
            {error ? t.problems[problemOf(error).kind].title : t.noHit(settled)}
          </div>
        )}
      </Paper>
    </search>
  );
}
