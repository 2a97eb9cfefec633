import { Textarea } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import { type EntryFragment, UnmergeDocument } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  mergeId: string;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

export default function UnmergeDialog({ mergeId, onClose, onDone }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const [reason, setReason] = useState('');
  const change = useChange(UnmergeDocument, (data) => data.unmerge);

  async function submit() {
    const made = await change.send({ mergeId, reason });
    if (!made) return;
    notice(t.unmerged);
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.unmerge} confirm={t.actions.unmerge} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors(['reason'])} isDisabled={!reason.trim()} what={t.unmergeWill}
    >
      <Textarea
        label={t.reason} value={reason} onChange={(event) => setReason(event.currentTarget.value)} required autosize data-autofocus
        error={change.errorOf('reason')}
      />
    </Dialog>
  );
}
