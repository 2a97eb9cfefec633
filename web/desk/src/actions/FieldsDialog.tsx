import { NativeSelect, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import type { Customer, FieldDefinition } from '../customer/CustomerPage';
import { type EntryFragment, UpdateCustomerDocument } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  customer: Customer;
  definitions: FieldDefinition[];
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
  onRead: () => void;
}

/** The fields that the company's own catalogue adds, each by its kind. Only those that were changed are sent. */
export default function FieldsDialog({ customer, definitions, onClose, onDone, onRead }: Props) {
  const { t, labelOf } = useWords();
  const notice = useNotice();
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [sent, setSent] = useState<string[]>([]);
  // What others change after this was opened is not overwritten, unless it was read again.
  const [revision, setRevision] = useState<number | undefined>(customer.revision);
  const change = useChange(UpdateCustomerDocument, (data) => data.updateCustomer);
  const stored = new Map(customer.fields?.map(({ definition, value }) => [definition.name, value]));
  const valueOf = (definition: FieldDefinition) => typed[definition.name] ?? inputOf(definition, stored.get(definition.name));
  const changed = definitions.filter((each) => valueOf(each).trim() !== inputOf(each, stored.get(each.name)));

  async function submit() {
    setSent(changed.map(({ name }) => name));
    const fields = changed.map((each) => ({ name: each.name, value: textOf(each, valueOf(each).trim()) }));
    const made = await change.send({ customerId: customer.id, expectedRevision: revision ?? customer.revision, fields });
    if (!made) return;
    notice(t.fieldsSaved);
    onDone(made.activity);
    onClose();
  }

  function readAgain() {
    change.reset();
    setRevision(undefined);
    onRead();
  }

  const isOfField = ({ field }: { field: string[] }) => field[0] === 'fields' && field.length > 1;
  return (
    <Dialog
      title={t.actions.fields} confirm={t.saveNote} {...change} onClose={onClose} onSubmit={submit} what={t.fieldsWill(customer.name)}
      errors={change.errors.filter((each) => !isOfField(each)).map(({ message }) => message)}
      onReadAgain={readAgain} isDisabled={!changed.length || change.isStale}
    >
      <Stack gap="sm">
        {definitions.map((each, index) => {
          const shared = {
            label: labelOf(each), value: valueOf(each), 'data-autofocus': index === 0 || undefined,
            error: change.errors.find((error) => isOfField(error) && sent[Number(error.field[1])] === each.name)?.message,
            onChange: (event: { currentTarget: { value: string } }) => {
              const { value } = event.currentTarget;
              setTyped((was) => ({ ...was, [each.name]: value }));
            },
          };
          const choices = choicesOf(each, stored.get(each.name));
          if (!choices) return <TextInput key={each.name} {...shared} {...INPUTS[each.kind]} />;
          const said = each.kind === 'BOOLEAN' ? { true: t.yes, false: t.no } as Record<string, string> : {};
          const data = [{ value: '', label: t.noValue }, ...choices.map((value) => ({ value, label: said[value] ?? value }))];
          return <NativeSelect key={each.name} {...shared} data={data} />;
        })}
      </Stack>
    </Dialog>
  );
}

/** Numbers are typed as text, because a number of JavaScript has fewer digits than a stored one. */
const INPUTS: Partial<Record<FieldDefinition['kind'], object>> = {
  INTEGER: { inputMode: 'numeric' },
  DECIMAL: { inputMode: 'decimal' },
  DATE: { type: 'date' },
  DATETIME: { type: 'datetime-local', step: 1 },
};

/** Returns what may be chosen; nothing where anything may be typed. A stored value that is allowed no more can stay. */
function choicesOf({ kind, values }: FieldDefinition, stored: string | undefined): string[] | undefined {
  if (kind === 'BOOLEAN') return ['true', 'false'];
  if (!values.length) return undefined;
  return stored === undefined || values.includes(stored) ? values : [...values, stored];
}

/** Returns a stored value as its input has it: a time is one of the reader's own clock there. */
function inputOf({ kind }: FieldDefinition, stored: string | undefined): string {
  if (kind !== 'DATETIME' || !stored) return stored ?? '';
  const time = new Date(stored);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Returns what an input has as the gateway takes it; null clears. */
function textOf({ kind }: FieldDefinition, input: string): string | null {
  return kind === 'DATETIME' && input ? new Date(input).toISOString() : input || null;
}
