import { Button, Menu, Text } from '@mantine/core';
import { Suspense, lazy, useState } from 'react';

import type { Customer, FieldDefinition, Me } from '../customer/CustomerPage';
import type { EntryFragment, Permission } from '../generated/graphql';
import { ExportFile } from '../lists/ExportFile';
import { useWords } from '../words';

const DataExportDialog = lazy(() => import('./DataExportDialog'));
const FieldsDialog = lazy(() => import('./FieldsDialog'));
const MergeDialog = lazy(() => import('./MergeDialog'));
const PointsDialog = lazy(() => import('./PointsDialog'));
const StatusDialog = lazy(() => import('./StatusDialog'));

type Act = 'note' | 'fields' | 'points' | 'block' | 'unblock' | 'merge' | 'dataExport';

const NEEDS: Record<Act, Permission> = {
  note: 'ADD_NOTE', fields: 'UPDATE_CUSTOMER', points: 'ADJUST_POINTS', block: 'CHANGE_STATUS', unblock: 'CHANGE_STATUS',
  merge: 'MERGE_CUSTOMERS', dataExport: 'REQUEST_DATA_EXPORT',
};

interface Props {
  customer: Customer;
  me: Me;
  /** The fields of the company's own catalogue. */
  definitions: FieldDefinition[];
  onDone: (made: EntryFragment | null | undefined) => void;
  onNote: () => void;
  onRead: () => void;
}

/** All that can be done, with what will happen; what cannot be done now is there, too, and says why. */
export function Actions({ customer, me, definitions, onDone, onNote, onRead }: Props) {
  const { t } = useWords();
  const [dialog, setDialog] = useState<Act>();
  const [exportId, setExportId] = useState<string>();
  const isClosed = customer.status === 'MERGED' || customer.status === 'ANONYMISED';
  const acts: Act[] = [
    'note', ...(definitions.length ? ['fields' as const] : []), 'points', customer.status === 'ACTIVE' ? 'block' : 'unblock', 'merge',
    'dataExport',
  ];

  function refusal(act: Act): string | undefined {
    if (!me?.permissions.includes(NEEDS[act])) return t.roleMayNot;
    if (isClosed) return t.isClosed(t.statuses[customer.status]);
    if (act === 'merge' && customer.mergeInProgress) return t.mergeInProgress;
    return undefined;
  }

  // Customers have no menu on their own page: what they may do stands beside each coupon and mail.
  if (me?.roles.every((role) => role === 'CUSTOMER')) return null;
  // A role that may do nothing of it needs none, either: affiliates.
  if (!acts.some((act) => me?.permissions.includes(NEEDS[act]))) return null;
  const close = () => setDialog(undefined);
  return (
    <>
      <Menu position="bottom-end" transitionProps={{ duration: 0 }} width={320}>
        <Menu.Target><Button>{t.actionsTitle}</Button></Menu.Target>
        <Menu.Dropdown>
          {acts.map((act) => {
            const why = refusal(act);
            return (
              <Menu.Item key={act} disabled={why !== undefined} onClick={() => (act === 'note' ? setTimeout(onNote) : setDialog(act))}>
                {t.actions[act]}
                <Text size="xs" className="dim">{why ?? t.effects[act]}</Text>
              </Menu.Item>
            );
          })}
        </Menu.Dropdown>
      </Menu>
      <Suspense>
        {dialog === 'fields' && (
          <FieldsDialog customer={customer} definitions={definitions} onClose={close} onDone={onDone} onRead={onRead} />
        )}
        {dialog === 'points' && <PointsDialog customer={customer} me={me} onClose={close} onDone={onDone} />}
        {dialog === 'block' && <StatusDialog customer={customer} status="BLOCKED" onClose={close} onDone={onDone} />}
        {dialog === 'unblock' && <StatusDialog customer={customer} status="ACTIVE" onClose={close} onDone={onDone} />}
        {dialog === 'merge' && <MergeDialog customer={customer} onClose={close} onDone={onDone} />}
        {dialog === 'dataExport' && <DataExportDialog customer={customer} onClose={close} onDone={onDone} onFile={setExportId} />}
      </Suspense>
      {exportId && <div className="export"><ExportFile id={exportId} /></div>}
    </>
  );
}
