import { TextInput, Textarea } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import { type EntryFragment, type PaidFragment, RequestRefundDocument } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  transaction: PaidFragment;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

/** A refund is asked of another system: what comes of it is shown as that system says it. */
export default function RefundDialog({ transaction, onClose, onDone }: Props) {
  const { t, format } = useWords();
  const notice = useNotice();
  const [amount, setAmount] = useState(transaction.refundable?.amount ?? '');
  const [reason, setReason] = useState('');
  const change = useChange(RequestRefundDocument, (data) => data.requestRefund);

  async function submit() {
    const made = await change.send({ transactionId: transaction.id, amount, ...(reason.trim() && { reason }) });
    if (!made) return;
    notice(t.refundAsked);
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.refund} confirm={t.actions.refund} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors(['amount', 'reason'])} isDisabled={!amount}
      what={t.refundWill(transaction.number, transaction.refundable ? format.money(transaction.refundable) : '')}
    >
      <TextInput
        label={t.amount(transaction.refundable?.currency ?? '')} value={amount} inputMode="decimal" required data-autofocus
        onChange={(event) => setAmount(event.currentTarget.value)} error={change.errorOf('amount')}
      />
      <Textarea
        label={t.reason} value={reason} onChange={(event) => setReason(event.currentTarget.value)} autosize mt="sm"
        error={change.errorOf('reason')}
      />
    </Dialog>
  );
}
