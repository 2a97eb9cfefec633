import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type FormEvent, type ReactNode } from 'react';

import { ProblemScreen } from '../ProblemScreen';
import type { Problem } from '../problems';
import { useWords } from '../words';

interface Props {
  title: string;
  /** What will happen, before it does. */
  what: ReactNode;
  confirm: string;
  isDangerous?: boolean;
  isDisabled?: boolean;
  isPending: boolean;
  isUncertain: boolean;
  problem?: Problem;
  /** Shows what the customer is now. What was typed stays. */
  onReadAgain?: () => void;
  errors: string[];
  onClose: () => void;
  onSubmit: () => void;
  children?: ReactNode;
}

/** A change that is confirmed. Focus goes into it, and back to where it was. */
export function Dialog(props: Props) {
  const { t } = useWords();

  function submit(event: FormEvent) {
    event.preventDefault();
    props.onSubmit();
  }

  return (
    <Modal opened onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': t.close }} transitionProps={{ duration: 0 }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Text size="sm" component="div">{props.what}</Text>
          {/* While nobody knows whether it was made, only the same may be sent again. */}
          <fieldset disabled={props.isUncertain || props.isPending} className="plain">{props.children}</fieldset>
          {props.errors.map((text) => <Text key={text} size="sm" role="alert" className="wrong">{text}</Text>)}
          {props.problem && (
            <ProblemScreen problem={props.problem} onRetry={props.problem.kind === 'stale' ? props.onReadAgain : undefined} />
          )}
          {props.isUncertain && <Text size="sm">{t.sameKey}</Text>}
          <Group justify="flex-end">
            <Button variant="default" onClick={props.onClose}>{t.cancel}</Button>
            <Button type="submit" color={props.isDangerous ? 'red' : undefined} loading={props.isPending} disabled={props.isDisabled}>
              {props.isUncertain ? t.sendAgain : props.confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
