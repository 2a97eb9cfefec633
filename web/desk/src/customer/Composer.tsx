import { Button, FileButton, Group, Pill, Text, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, type KeyboardEvent, type Ref, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';

import { useNotice } from '../Notice';
import { ProblemScreen } from '../ProblemScreen';
import { NotUploaded, upload } from '../actions/upload';
import { useChange } from '../actions/useChange';
import { AddNoteDocument, type EntryFragment } from '../generated/graphql';
import { useWords } from '../words';
import { draftOf, keepDraft } from './drafts';

interface Props {
  ref: Ref<HTMLTextAreaElement>;
  viewer: string;
  customerId: string;
  /** The events that the note is about. */
  links: EntryFragment[];
  onLinks: (links: EntryFragment[]) => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

const TYPES = 'image/png,image/jpeg,image/gif,application/pdf,application/json,application/zip,text/csv';

/** Always open: a note is written while one listens. Ctrl-Enter saves it; what is written stays until it is saved, also
 * while one looks at other customers. */
export function Composer({ ref, viewer, customerId, links, onLinks, onDone }: Props) {
  const { t, format } = useWords();
  const notice = useNotice();
  const [draft] = useState(() => draftOf(viewer, customerId));
  const [message, setMessage] = useState(draft?.message ?? '');
  const [mentions, setMentions] = useState(draft?.mentions ?? '');
  const [files, setFiles] = useState(draft?.files ?? []);
  const [wrong, setWrong] = useState<string>();
  const [isUploading, setUploading] = useState(false);
  const uploads = useRef(draft?.uploads ?? new Map<File, string>()); // each goes once, however often its note is sent
  const client = useClient();
  const change = useChange(AddNoteDocument, (data) => data.addNote, draft?.attempt);

  useEffect(() => {
    keepDraft(viewer, customerId, { message, mentions, files, uploads: uploads.current, links, attempt: change.attempt() });
  });

  async function attach() {
    for (const file of files) {
      if (!uploads.current.has(file)) uploads.current.set(file, await upload(client, file));
    }
    return files.map((file) => ({ uploadId: uploads.current.get(file)! }));
  }

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    if (!message.trim() || change.isPending || isUploading) return;
    setWrong(undefined);
    setUploading(true);
    let attachments;
    try {
      attachments = await attach();
    } catch (error) {
      return setWrong(error instanceof NotUploaded ? error.message : t.problems.offline.advice);
    } finally {
      setUploading(false);
    }
    const names = mentions.split(/[\s,]+/).filter(Boolean);
    const made = await change.send({
      customerId,
      message,
      ...(names.length && { mentions: names }),
      ...(links.length && { links: links.map(({ id }) => id) }),
      ...(files.length && { attachments }),
    });
    if (!made) return;
    keepDraft(viewer, customerId, undefined); // whoever waits for the answer may be at another customer by now
    setMessage('');
    setMentions('');
    setFiles([]);
    onLinks([]);
    uploads.current = new Map();
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
      <Group mt={6} gap="xs">
        <TextInput
          size="xs" aria-label={t.mention} placeholder={t.mentionHint} value={mentions} readOnly={change.isUncertain}
          onChange={(event) => setMentions(event.currentTarget.value)} error={change.errorOf('mentions')} onKeyDown={onKeyDown}
        />
        <FileButton onChange={(added) => setFiles([...files, ...added])} multiple accept={TYPES} disabled={change.isUncertain}>
          {(props) => <Button {...props} size="xs" variant="default">{t.attach}</Button>}
        </FileButton>
        {links.map((entry) => (
          <Pill
            key={entry.id} withRemoveButton={!change.isUncertain} onRemove={() => onLinks(links.filter((each) => each !== entry))}
            removeButtonProps={{ 'aria-label': t.remove(entry.title), 'aria-hidden': false, tabIndex: 0 }}
          >
            {entry.title}, {format.date(entry.occurredAt)}
          </Pill>
        ))}
        {files.map((file) => (
          <Pill
            key={`${file.name} ${file.lastModified}`} withRemoveButton={!change.isUncertain}
            onRemove={() => setFiles(files.filter((each) => each !== file))}
            removeButtonProps={{ 'aria-label': t.remove(file.name), 'aria-hidden': false, tabIndex: 0 }}
          >
            {file.name}
          </Pill>
        ))}
        <Button type="submit" size="xs" loading={change.isPending || isUploading} disabled={!message.trim()}>
          {change.isUncertain ? t.sendAgain : t.saveNote}
        </Button>
        <Text size="xs" className="dim">{t.ctrlEnter}</Text>
      </Group>
      {wrong && <Text size="sm" role="alert" className="wrong">{wrong}</Text>}
      {change.otherErrors(['message', 'mentions']).map((text) => <Text key={text} size="sm" role="alert" className="wrong">{text}</Text>)}
      {change.problem && <ProblemScreen problem={change.problem} />}
    </form>
  );
}
