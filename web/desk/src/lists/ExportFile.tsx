import { Anchor, Text } from '@mantine/core';
import { useEffect } from 'react';
import { useQuery } from 'urql';

import { ExportProgressDocument } from '../generated/graphql';
import { useWords } from '../words';

const LOOK_MS = 1_000;

/** An export on its way: how far it is, then the file. */
export function ExportFile({ id }: { id: string }) {
  const { t } = useWords();
  const [{ data }, again] = useQuery({ query: ExportProgressDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const file = data?.node && 'rows' in data.node ? data.node : undefined;
  const isUnderWay = !file || file.status === 'QUEUED' || file.status === 'RUNNING';

  useEffect(() => {
    if (!isUnderWay) return;
    const timer = setInterval(() => again({ requestPolicy: 'network-only' }), LOOK_MS);
    return () => clearInterval(timer);
  }, [again, isUnderWay]);

  if (!file) return null;
  return (
    <Text size="sm" role="status" data-export={file.status}>
      {t.exporting(t.exportStatuses[file.status], file.rows, file.total)} {file.error}{' '}
      {file.url && <Anchor href={file.url} download size="sm">{t.download}</Anchor>}
    </Text>
  );
}
