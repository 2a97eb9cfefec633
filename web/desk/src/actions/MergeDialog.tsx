import { Alert, Button, Group, List, TextInput, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useClient } from 'urql';

import { useNotice } from '../Notice';
import type { Customer } from '../customer/CustomerPage';
import {
  type EntryFragment, MergeDocument, MergePairDocument, type MergePairQuery, MergePreviewDocument, type MergePreviewQuery,
} from '../generated/graphql';
import { problemOf } from '../problems';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  customer: Customer;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

/** Another customer becomes a part of this one. What will happen is shown before, and it can be undone.
 *
 * Only what the preview was made of is merged: who changed since is looked at again.
 */
export default function MergeDialog({ customer, onClose, onDone }: Props) {
  const { t, format } = useWords();
  const client = useClient();
  const notice = useNotice();
  const [number, setNumber] = useState(customer.possibleDuplicates?.[0]?.customer?.number ?? '');
  const [reason, setReason] = useState('');
  const [pair, setPair] = useState<MergePairQuery>();
  const [preview, setPreview] = useState<MergePreviewQuery['previewMerge']>();
  const [wrong, setWrong] = useState<string>();
  const change = useChange(MergeDocument, (data) => data.mergeCustomers);
  const other = pair?.other;

  async function look() {
    change.reset();
    setWrong(undefined);
    setPreview(undefined);
    // The revisions are read first: what changes while the preview is made is noticed, too.
    const found = await client
      .query(MergePairDocument, { into: customer.number, number: number.trim() }, { requestPolicy: 'network-only' }).toPromise();
    const source = found.data?.other;
    if (!source) return setWrong(found.error ? problemOf(found.error).message : t.noCustomer(number));
    setPair(found.data);
    const seen = await client.query(MergePreviewDocument, { intoId: customer.id, ids: [source.id] }, { requestPolicy: 'network-only' }).toPromise();
    if (seen.error) setWrong(problemOf(seen.error).message);
    setPreview(seen.data?.previewMerge);
  }

  async function submit() {
    if (!other) return;
    const expectedRevisions = [pair?.into, other].flatMap((each) => (each ? [{ customerId: each.id, revision: each.revision }] : []));
    const made = await change.send({ intoId: customer.id, ids: [other.id], reason, expectedRevisions });
    if (!made) return;
    notice(t.merged(other.name, customer.name));
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.merge} confirm={t.actions.merge} isDangerous {...change} onClose={onClose} onSubmit={preview ? submit : look}
      errors={[...(wrong ? [wrong] : []), ...change.otherErrors(['reason'])]}
      onReadAgain={look}
      isDisabled={!preview || preview.blockers.length > 0 || !reason.trim() || change.isStale} what={t.mergeWill(customer.name, customer.number)}
    >
      <Group align="flex-end">
        <TextInput
          label={t.otherNumber} value={number} data-autofocus required
          onChange={(event) => { setNumber(event.currentTarget.value); setPreview(undefined); }}
        />
        <Button variant="default" onClick={look} disabled={!number.trim()}>{t.preview}</Button>
      </Group>
      {preview && other && (
        <section aria-label={t.preview}>
          {preview.blockers.map(({ error }) => <Alert key={error.code} color="red" p="xs" mt="xs">{error.message}</Alert>)}
          {preview.warnings.map((warning) => <Alert key={warning} color="yellow" p="xs" mt="xs">{t.mergeWarnings[warning]}</Alert>)}
          <List size="sm" mt="xs">
            <List.Item>{t.mergePoints(preview.points.after)}</List.Item>
            {preview.counts.filter(({ count }) => count > 0).map(({ list, count }) => (
              <List.Item key={list}>{t.word(list)}: {format.number(count)}</List.Item>
            ))}
            {preview.fields.filter(({ dropped }) => dropped.length).map(({ field, kept, dropped }) => (
              <List.Item key={field}>{t.word(field)}: {kept ?? '–'} ({t.instead(dropped.join(', '))})</List.Item>
            ))}
          </List>
        </section>
      )}
      <Textarea
        label={t.reason} value={reason} onChange={(event) => setReason(event.currentTarget.value)} required autosize mt="sm"
        error={change.errorOf('reason')}
      />
    </Dialog>
  );
}
