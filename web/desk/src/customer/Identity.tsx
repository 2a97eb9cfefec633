import { Badge, Button, CopyButton, Group, Text, Title, UnstyledButton } from '@mantine/core';

import { useNow } from '../useNow';
import { useWords } from '../words';
import type { Customer } from './CustomerPage';
import { ZONES } from './zones';

const COLORS = { ACTIVE: 'green', BLOCKED: 'red', DEACTIVATED: 'gray', ANONYMISED: 'gray', MERGED: 'gray' } as const;

export function Identity({ customer }: { customer: Customer }) {
  const { t, format } = useWords();
  const now = useNow();
  const latest = customer.statusHistory?.nodes[0];
  const country = customer.country ?? customer.billingAddress?.country;
  const zone = country ? ZONES[country] : undefined;
  const phone = customer.phones?.find(({ primary }) => primary) ?? customer.phones?.[0];

  return (
    <section aria-label={t.identity} className="identity">
      <Group gap="sm" wrap="wrap">
        <Title order={1} size="h2" dir="auto">{customer.name}</Title>
        <CopyButton value={customer.number}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy} aria-label={t.copyNumber(customer.number)}>
              {copied ? t.copied : customer.number}
            </Button>
          )}
        </CopyButton>
        <Badge size="lg" radius="sm" tt="none" color={COLORS[customer.status]} variant="filled" data-status={customer.status}>{t.statuses[customer.status]}</Badge>
        {latest && (
          <Text size="sm">
            {t.since(format.date(latest.changedAt))}{latest.reason && `: ${latest.reason}`}
          </Text>
        )}
      </Group>
      <Group gap="6px 16px" mt={8} wrap="wrap" className="facts">
        {customer.organization && <Text size="sm" dir="auto">{customer.organization}</Text>}
        {zone && country && <Text size="sm">{t.localTime(format.timeIn(now, zone), format.country(country))}</Text>}
        {!zone && country && <Text size="sm">{format.country(country)}</Text>}
        {customer.locale && <Text size="sm">{format.language(customer.locale)}</Text>}
        {customer.email && <Text size="sm">{customer.email}</Text>}
        {phone && <UnstyledButton component="a" href={`tel:${phone.value.replace(/\s/g, '')}`}><Text size="sm">{phone.value}</Text></UnstyledButton>}
        <Text size="sm">{t.customerSince(format.date(customer.registeredAt))}</Text>
        {customer.tags.map((tag) => <Badge key={tag} variant="default" size="sm" tt="none">{tag}</Badge>)}
      </Group>
    </section>
  );
}
