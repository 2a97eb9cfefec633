import { useNotice } from '../Notice';
import type { Customer } from '../customer/CustomerPage';
import { type EntryFragment, RequestDataExportDocument } from '../generated/graphql';
import { useWords } from '../words';
import { Dialog } from './Dialog';
import { useChange } from './useChange';

interface Props {
  customer: Customer;
  onClose: () => void;
  onDone: (made: EntryFragment | null | undefined) => void;
  /** Takes the id of the file that is being made. */
  onFile: (exportId: string) => void;
}

/** All that is known of a person, in one file, for them. */
export default function DataExportDialog({ customer, onClose, onDone, onFile }: Props) {
  const { t } = useWords();
  const notice = useNotice();
  const change = useChange(RequestDataExportDocument, (data) => data.requestDataExport);

  async function submit() {
    const made = await change.send({ customerId: customer.id });
    if (!made) return;
    notice(t.dataExportAsked);
    if (made.export) onFile(made.export.id);
    onDone(made.activity);
    onClose();
  }

  return (
    <Dialog
      title={t.actions.dataExport} confirm={t.actions.dataExport} {...change} onClose={onClose} onSubmit={submit}
      errors={change.otherErrors([])} what={t.dataExportWill(customer.name)}
    />
  );
}
