import { Checkbox } from '@mantine/core';
import { useState } from 'react';

import { useNotice } from '../Notice';
import { type CouponRowFragment, type EntryFragment, RedeemCouponDocument } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  coupon: CouponRowFragment;
  customerId: string;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
}

export default function RedeemDialog({ coupon, customerId, onClose, onDone }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const [notifies, setNotifies] = useState(false);
  const change = useChange(RedeemCouponDocument, (data) => data.redeemCoupon);

  async function submit() {
    const made = await change.send({ customerId, couponIds: [coupon.id], notifyCustomer: notifies });
    if (!made) return;
    notice(t.redeemed);
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.redeem} confirm={t.actions.redeem} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors([])} what={t.redeemWill(coupon.value, coupon.code ?? '')}
    >
      <Checkbox label={t.notifyCustomer} checked={notifies} onChange={(event) => setNotifies(event.currentTarget.checked)} />
    </Dialog>
  );
}
