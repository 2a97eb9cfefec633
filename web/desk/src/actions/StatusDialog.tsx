import { Textarea } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import type { Customer } from '../customer/CustomerPage';
import { ChangeStatusDocument, type EntryFragment, type SettableStatus } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  customer: Customer;
  status: SettableStatus;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

export default function StatusDialog({ customer, status, onClose, onDone }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const [reason, setReason] = useState('');
  const change = useChange(ChangeStatusDocument, (data) => data.changeCustomerStatus);
  const title = status === 'BLOCKED' ? t.actions.block : t.actions.unblock;

  async function submit() {
    const made = await change.send({ customerId: customer.id, status, reason });
    if (!made) return;
    notice(t.statusChanged(t.statuses[status]));
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={title} confirm={title} isDangerous={status === 'BLOCKED'} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors(['reason'])} isDisabled={!reason.trim()}
      what={status === 'BLOCKED' ? t.blockWill(customer.name) : t.unblockWill(customer.name)}
    >
      <Textarea
        label={t.reason} description={t.reasonSeen} value={reason} onChange={(event) => setReason(event.currentTarget.value)}
        required autosize data-autofocus error={change.errorOf('reason')}
      />
    </Dialog>
  );
}
