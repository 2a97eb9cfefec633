import { Alert, Button, Group, List, TextInput, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useClient } from 'urql';

import { useNotice } from '../Notice';
import type { Customer } from '../customer/CustomerPage';
import {
  type EntryFragment, MergeDocument, type MergeKeepInput, MergePairDocument, type MergePairQuery, MergePreviewDocument,
  type MergePreviewQuery,
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

/** Another customer becomes a part of this one. What will happen is shown before, and it can be undone. Where the two
 * differ, the agent says whose value stands.
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
  const [keep, setKeep] = useState<MergeKeepInput[]>([]);
  const [isLooking, setLooking] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const change = useChange(MergeDocument, (data) => data.mergeCustomers);
  const other = pair?.other;

  async function look(kept = keep) {
    change.reset();
    setWrong(undefined);
    setLooking(true);
    // The revisions are read first: what changes while the preview is made is noticed, too.
    const found = await client
      .query(MergePairDocument, { into: customer.number, number: number.trim() }, { requestPolicy: 'network-only' }).toPromise();
    const source = found.data?.other;
    const asked = { intoId: customer.id, ids: source ? [source.id] : [], keep: kept };
    const seen = source && await client.query(MergePreviewDocument, asked, { requestPolicy: 'network-only' }).toPromise();
    const error = found.error ?? seen?.error;
    if (error) setWrong(problemOf(error).message);
    else if (!source) setWrong(t.noCustomer(number));
    setPair(found.data);
    setKeep(kept);
    setPreview(seen?.data?.previewMerge);
    setLooking(false);
  }

  function take({ field, fromId }: MergeKeepInput) {
    const otherId = fromId === customer.id ? other?.id : customer.id;
    return otherId && look([...keep.filter((each) => each.field !== field), { field, fromId: otherId }]);
  }

  async function submit() {
    if (!other) return;
    const expectedRevisions = [pair?.into, other].flatMap((each) => (each ? [{ customerId: each.id, revision: each.revision }] : []));
    const made = await change.send({ intoId: customer.id, ids: [other.id], reason, keep, expectedRevisions });
    if (!made) return;
    notice(t.merged(other.name, customer.name));
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.merge} confirm={t.actions.merge} isDangerous {...change} onClose={onClose} onSubmit={() => (preview ? submit() : look())}
      errors={[...(wrong ? [wrong] : []), ...change.otherErrors(['reason'])]}
      onReadAgain={() => look()}
      isDisabled={isLooking || !preview || preview.blockers.length > 0 || !reason.trim() || change.isStale} what={t.mergeWill(customer.name, customer.number)}
    >
      <Group align="flex-end">
        <TextInput
          label={t.otherNumber} value={number} data-autofocus required
          onChange={(event) => { setNumber(event.currentTarget.value); setPreview(undefined); setKeep([]); }}
        />
        <Button variant="default" onClick={() => look()} disabled={!number.trim()}>{t.preview}</Button>
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
            {preview.fields.filter(({ dropped }) => dropped.length).map(({ field, kept, fromId, dropped }) => (
              <List.Item key={field}>
                {t.word(field)}: {kept ?? '–'} ({t.instead(dropped.join(', '))}){' '}
                <Button variant="subtle" size="compact-xs" onClick={() => take({ field, fromId })}>{t.takeOther(t.word(field))}</Button>
              </List.Item>
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
