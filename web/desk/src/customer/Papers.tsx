import { Badge } from '@mantine/core';

import { useWords } from '../words';
import type { Customer } from './CustomerPage';
import { Line, Panel } from './Panel';
import { statusOf } from './statusOf';

// What other systems and offices know of the customer. Each is there for those who may read it.

export function Instruments({ of }: { of: NonNullable<Customer['paymentInstruments']> }) {
  const { t } = useWords();
  return (
    <Panel title={t.instruments} count={of.totalCount}>
      {of.nodes.map((each) => each && (
        <Line
          key={each.id} name={each.id}
          more={[
            statusOf(t, each), each.expMonth && each.expYear && t.until(`${String(each.expMonth).padStart(2, '0')}/${each.expYear}`),
            each.bankName, each.digitalWallet, each.useAsBackup && t.backup,
          ].filter(Boolean).join(' · ')}
          action={each.isDefault && <Badge variant="default" size="sm" tt="none">{t.isDefault}</Badge>}
        >
          <strong>{each.brand ?? t.word(each.method)}</strong>{each.last4 && ` •••• ${each.last4}`}
        </Line>
      ))}
    </Panel>
  );
}

export function Fields({ of }: { of: NonNullable<Customer['fields']> }) {
  const { t, format, labelOf } = useWords();
  function shown({ definition: { kind }, value }: (typeof of)[number]): string {
    switch (kind) {
      case 'BOOLEAN': return value === 'true' ? t.yes : t.no;
      case 'DATE': return format.date(`${value}T12:00`);
      case 'DATETIME': return format.dateTime(value);
      default: return value;
    }
  }
  return (
    <Panel title={t.fields}>
      <dl className="facts-of">
        {of.map((each) => (
          <div key={each.definition.name}><dt>{labelOf(each.definition)}</dt><dd dir="auto">{shown(each)}</dd></div>
        ))}
      </dl>
    </Panel>
  );
}

export function TaxIds({ of }: { of: NonNullable<Customer['taxIds']> }) {
  const { t } = useWords();
  return (
    <Panel title={t.taxIds} count={of.length}>
      {of.map(({ type, value, isDefault, validity }) => (
        <Line
          key={`${type} ${value}`} more={`${t.word(type)} · ${t.word(validity)}`}
          action={isDefault && <Badge variant="default" size="sm" tt="none">{t.isDefault}</Badge>}
        >
          {value}
        </Line>
      ))}
    </Panel>
  );
}

export function LeadSource({ of }: { of: NonNullable<Customer['leadSource']> }) {
  const { t } = useWords();
  const first = of.original && [of.original.medium, of.original.source, of.original.campaign].filter(Boolean).join(', ');
  return (
    <Panel title={t.leadSource}>
      <Line more={first && t.firstCame(first)}>
        {[of.medium, of.source, of.campaign, of.affiliate, of.salesAgent].filter(Boolean).join(', ') || t.none}
      </Line>
    </Panel>
  );
}

interface KycProps {
  requests: NonNullable<Customer['kycRequests']>;
  documents: NonNullable<Customer['kycDocuments']>;
}

/** What was asked for first, then what came. */
export function Kyc({ requests, documents }: KycProps) {
  const { t, format } = useWords();
  return (
    <Panel title={t.kyc} count={(requests.totalCount ?? 0) + (documents.totalCount ?? 0)}>
      {requests.nodes.map((each) => each && (
        <Line
          key={each.id} name={each.id}
          more={[format.date(each.createdAt), each.reason, each.expiresAt && t.until(format.date(each.expiresAt))].filter(Boolean).join(' · ')}
        >
          <strong>{t.askedFor(format.list(each.documents.map(({ type }) => t.word(type))))}</strong> · {statusOf(t, each)}
        </Line>
      ))}
      {documents.nodes.map((each) => each && (
        <Line
          key={each.id} name={each.id}
          more={[
            format.date(each.reviewedAt ?? each.createdAt), each.rejection && (each.rejection.message ?? t.word(each.rejection.type)),
          ].filter(Boolean).join(' · ')}
        >
          {t.word(each.type)}{each.subtype && ` (${t.word(each.subtype)})`} · {statusOf(t, each)}
        </Line>
      ))}
    </Panel>
  );
}

export function Aml({ of }: { of: NonNullable<Customer['amlChecks']> }) {
  const { t, format } = useWords();
  return (
    <Panel title={t.aml} count={of.totalCount}>
      {of.nodes.map((each) => each && (
        <Line
          key={each.id} name={each.id}
          more={[
            format.date(each.reviewedAt ?? each.startedAt), each.priority,
            ...each.hits.map(({ name, listType, confidence }) => [name, t.word(listType), confidence && t.word(confidence)].filter(Boolean).join(', ')),
            each.noMatchReason,
          ].filter(Boolean).join(' · ')}
        >
          {statusOf(t, each)}
        </Line>
      ))}
    </Panel>
  );
}

export function DueDiligence({ of }: { of: NonNullable<Customer['dueDiligence']> }) {
  const { t, format } = useWords();
  return (
    <Panel title={t.dueDiligence}>
      <Line more={of.nextSearchAt && t.nextSearch(format.date(of.nextSearchAt))}>
        <strong>{of.required ? t.required : t.notRequired}</strong>
      </Line>
      {of.factors.filter(({ effective }) => effective).map(({ factor, effective, manual }) => (
        <Line key={factor} more={manual && t.byHand}>{t.word(factor)}: {t.word(effective!)}</Line>
      ))}
    </Panel>
  );
}
