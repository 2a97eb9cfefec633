import { Anchor, Button, Checkbox, Collapse, Group, MultiSelect, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback, useDisclosure } from '@mantine/hooks';
import { useEffect, useState } from 'react';

import type { ActivityGroup } from '../generated/graphql';
import { useWords } from '../words';
import type { Customer } from './CustomerPage';
import { type Choice, EVERYTHING, isNarrowed } from './choice';

interface Props {
  customer: Customer;
  choice: Choice;
  onChoose: (choice: Choice) => void;
  /** The number of entries with this choice, and of all. */
  shown: number | null;
  all: number | null;
}

export function Filters({ customer, choice, onChoose, shown, all }: Props) {
  const { t, format } = useWords();
  const [isOpen, { toggle }] = useDisclosure(false);
  const [text, setText] = useState(choice.text);
  const find = useDebouncedCallback((text: string) => onChoose({ ...choice, text }), 300);
  useEffect(() => setText(choice.text), [choice.text]);

  const hidden = shown === null || all === null ? 0 : all - shown;
  const count = (label: string, number: number) => `${label} (${format.number(number)})`;
  return (
    <div className="filters">
      <Group gap="sm" wrap="wrap">
        <TextInput
          size="xs" type="search" aria-label={t.find} placeholder={t.find} value={text} maxLength={100}
          onChange={(event) => { setText(event.currentTarget.value); find(event.currentTarget.value); }}
        />
        <TextInput
          size="xs" type="date" aria-label={t.jumpTo} value={choice.until}
          onChange={(event) => onChoose({ ...choice, until: event.currentTarget.value })}
        />
        <Switch
          size="xs" label={t.hideSystem} checked={choice.hideSystem}
          onChange={(event) => onChoose({ ...choice, hideSystem: event.currentTarget.checked })}
        />
        <Button size="xs" variant="default" onClick={toggle} aria-expanded={isOpen}>{t.moreFilters}</Button>
      </Group>
      <Collapse expanded={isOpen}>
        <fieldset className="facets">
          <legend>{t.kinds}</legend>
          {(customer.activityGroups ?? []).map(({ group, count: number }) => (
            <Checkbox
              key={group} size="xs" label={count(t.groups[group], number)} checked={choice.groups.includes(group)}
              onChange={(event) => onChoose({ ...choice, groups: toggled(choice.groups, group, event.currentTarget.checked) })}
            />
          ))}
        </fieldset>
        <Group align="flex-start" grow>
          <MultiSelect
            size="xs" label={t.types} value={choice.types} searchable clearable
            data={(customer.activityFacets ?? []).map(({ type, title, count: number }) => ({ value: type, label: count(title, number) }))}
            onChange={(types) => onChoose({ ...choice, types })}
          />
          <MultiSelect
            size="xs" label={t.systems} value={choice.sources} clearable
            data={(customer.activitySources ?? []).map(({ source, count: number }) => ({
              value: source, label: count(t.sources[source] ?? source, number),
            }))}
            onChange={(sources) => onChoose({ ...choice, sources })}
          />
          <MultiSelect
            size="xs" label={t.actors} value={choice.actorIds} searchable clearable
            data={(customer.activityActors ?? []).flatMap(({ actor: { userId, name }, count: number }) => (
              userId ? [{ value: userId, label: count(name, number) }] : []
            ))}
            onChange={(actorIds) => onChoose({ ...choice, actorIds })}
          />
        </Group>
      </Collapse>
      <Text size="sm" role="status" className="said">
        {shown !== null && t.shown(shown)}
        {isNarrowed(choice) && hidden > 0 && (
          <>
            {' '}{t.hidden(hidden)}{' '}
            <Anchor component="button" size="sm" onClick={() => onChoose(EVERYTHING)}>{t.showAll}</Anchor>
          </>
        )}
      </Text>
    </div>
  );
}

const toggled = (groups: ActivityGroup[], group: ActivityGroup, isOn: boolean): ActivityGroup[] =>
  isOn ? [...groups, group] : groups.filter((each) => each !== group);
