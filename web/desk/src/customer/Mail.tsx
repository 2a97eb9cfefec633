import { Button, Group, List, Paper, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useClient } from 'urql';

import { useNotice } from '../Notice';
import { ProblemScreen } from '../ProblemScreen';
import { useChange } from '../actions/useChange';
import { DeliveriesDocument, type EntryFragment, type MailFragment, ResendEmailDocument } from '../generated/graphql';
import { useWords } from '../words';

interface Props {
  mail: MailFragment;
  canResend: boolean;
  onDone: (made: EntryFragment | null | undefined) => void;
}

const LOOK_MS = 1_500;

/** The mail as it was sent, in a frame without scripts, forms and rights; and what became of each sending. */
export function Mail({ mail, canResend, onDone }: Props) {
  const { t, format } = useWords();
  const notice = useNotice();
  const client = useClient();
  const change = useChange(ResendEmailDocument, (data) => data.resendEmail);
  const [height, setHeight] = useState(320);
  const isUnderWay = mail.deliveries?.some(({ status }) => status === 'QUEUED') ?? false;

  // "Sent again" would not be true yet: it is queued, and what becomes of it is looked at until it is known.
  useEffect(() => {
    if (!isUnderWay) return;
    const timer = setInterval(
      () => void client.query(DeliveriesDocument, { id: mail.id }, { requestPolicy: 'network-only' }).toPromise(),
      LOOK_MS,
    );
    return () => clearInterval(timer);
  }, [client, mail.id, isUnderWay]);

  async function resend() {
    const made = await change.send({ emailId: mail.id });
    if (!made) return;
    notice(t.mailQueued);
    onDone(made.activity);
  }

  return (
    <Paper withBorder p="xs" className="mail">
      <Text size="sm" fw={600} dir="auto">{mail.subject}</Text>
      <Text size="xs" className="dim">{t.mailTo(mail.to, mail.sentAt ? format.dateTime(mail.sentAt) : '–')}</Text>
      {mail.html ? (
        <>
          <iframe
            title={t.mailTitle(mail.subject)} sandbox="allow-popups allow-popups-to-escape-sandbox"
            srcDoc={mail.html} style={{ height }}
          />
          <Button size="compact-xs" variant="default" onClick={() => setHeight(height === 320 ? 900 : 320)}>
            {height === 320 ? t.larger : t.smaller}
          </Button>
        </>
      ) : (
        <pre>{mail.text ?? t.noContent}</pre>
      )}
      {mail.deliveries && mail.deliveries.length > 0 && (
        <List size="sm" aria-label={t.deliveries} mt="xs">
          {mail.deliveries.map((each) => (
            <List.Item key={each.id} data-delivery={each.status}>
              {t.deliveryStatuses[each.status]}: {each.to}, {format.dateTime(each.deliveredAt ?? each.requestedAt)}
              {each.error && ` (${each.error})`}
            </List.Item>
          ))}
        </List>
      )}
      {canResend && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={resend} loading={change.isPending}>
            {change.isUncertain ? t.sendAgain : t.actions.resend}
          </Button>
        </Group>
      )}
      {change.errors.map(({ message }) => <Text key={message} size="sm" role="alert" className="wrong">{message}</Text>)}
      {change.problem && <ProblemScreen problem={change.problem} />}
    </Paper>
  );
}
