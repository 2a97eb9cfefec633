import { NumberInput, Textarea } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import type { Customer, Me } from '../customer/CustomerPage';
import { AdjustPointsDocument, type EntryFragment } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  customer: Customer;
  me: Me;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

export default function PointsDialog({ customer, me, onClose, onDone }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const [points, setPoints] = useState<number | string>('');
  const [reason, setReason] = useState('');
  const change = useChange(AdjustPointsDocument, (data) => data.adjustPoints);
  const spendable = customer.points?.spendable ?? 0;
  const amount = Number(points) || 0;

  async function submit() {
    const made = await change.send({ customerId: customer.id, points: amount, reason });
    if (!made) return;
    notice(t.pointsAdjusted(amount));
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.points} confirm={t.actions.points} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors(['points', 'reason'])} isDisabled={!amount || !reason.trim()}
      what={amount ? t.pointsWill(spendable, spendable + amount) : t.pointsNow(spendable, me?.adjustPointsLimit ?? null)}
    >
      <NumberInput
        label={t.pointsToAdd} description={t.negative} value={points} onChange={setPoints} allowDecimal={false} required data-autofocus
        error={change.errorOf('points')}
      />
      <Textarea
        label={t.reason} value={reason} onChange={(event) => setReason(event.currentTarget.value)} required autosize mt="sm"
        error={change.errorOf('reason')}
      />
    </Dialog>
  );
}
