import { Button, Group, Text, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, type KeyboardEvent, type Ref, useState } from 'react';

import { useNotice } from '../Notice';
import { ProblemScreen } from '../ProblemScreen';
import { useChange } from '../actions/useChange';
import { AddNoteDocument, type EntryFragment } from '../generated/graphql';
import { useWords } from '../words';

interface Props {
  ref: Ref<HTMLTextAreaElement>;
  customerId: string;
  onDone: (made: EntryFragment | null | undefined) => void;
}

/** Always open: a note is written while one listens. Ctrl-Enter saves it; what is written stays until it is saved. */
export function Composer({ ref, customerId, onDone }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const [message, setMessage] = useState('');
  const [mentions, setMentions] = useState('');
  const change = useChange(AddNoteDocument, (data) => data.addNote);

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    if (!message.trim() || change.isPending) return;
    const names = mentions.split(/[\s,]+/).filter(Boolean);
    const made = await change.send({ customerId, message, ...(names.length && { mentions: names }) });
    if (!made) return;
    setMessage('');
    setMentions('');
    notice(t.noteSaved);
    onDone(made.activity);
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void submit();
    }
  }

  return (
    <form onSubmit={submit} className="composer" aria-label={t.addNote}>
      <Textarea
        ref={ref} aria-label={t.note} placeholder={t.noteHint} autosize minRows={2} maxRows={12} value={message} dir="auto"
        readOnly={change.isUncertain} onChange={(event) => setMessage(event.currentTarget.value)} onKeyDown={onKeyDown}
        error={change.errorOf('message')}
      />
      <Group mt={4} gap="xs" align="flex-start">
        <TextInput
          size="xs" aria-label={t.mention} placeholder={t.mentionHint} value={mentions} readOnly={change.isUncertain}
          onChange={(event) => setMentions(event.currentTarget.value)} error={change.errorOf('mentions')} onKeyDown={onKeyDown}
        />
        <Button type="submit" size="xs" loading={change.isPending} disabled={!message.trim()}>
          {change.isUncertain ? t.sendAgain : t.saveNote}
        </Button>
        <Text size="xs" className="dim">{t.ctrlEnter}</Text>
      </Group>
      {change.otherErrors(['message', 'mentions']).map((text) => <Text key={text} size="sm" role="alert" className="wrong">{text}</Text>)}
      {change.problem && <ProblemScreen problem={change.problem} />}
    </form>
  );
}
