import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { gql } from '@urql/core';
import { useEffect, useMemo, useRef } from 'react';
import UPlot from 'uplot';
import { useQuery } from 'urql';

import type { ReportFilter } from '../generated/graphql';
import { useWords } from '../words';

const BARS = 10; // the gateway answers ten fields at the top of a document

/** The number of actions in each tenth of the window. The report has one total only: each bar is a report of its own. */
export default function ReportChart({ filter }: { filter: ReportFilter }) {
  const { t, format } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');
  const starts = useMemo(() => {
    const [from, to] = [Date.parse(filter.occurredAt.from ?? ''), Date.parse(filter.occurredAt.to ?? '')];
    return Array.from({ length: BARS + 1 }, (_, index) => from + ((to - from) * index) / BARS);
  }, [filter]);
  const query = useMemo(() => {
    const names = Array.from({ length: BARS }, (_, index) => index);
    return gql(`query Bars(${names.map((name) => `$f${name}: ReportFilter!`)}) {
      ${names.map((name) => `b${name}: customerServiceReport(filter: $f${name}) { id total }`).join('\n')}
    }`);
  }, []);
  const variables = useMemo(() => {
    const at = (index: number) => new Date(starts[index]!).toISOString();
    const windows = Array.from({ length: BARS }, (_, index) => ({ from: at(index), to: at(index + 1) }));
    return Object.fromEntries(windows.map((occurredAt, index) => [`f${index}`, { ...filter, occurredAt }]));
  }, [filter, starts]);
  const [{ data }] = useQuery<Record<string, { total: number | null } | null>>({ query, variables });

  useEffect(() => {
    const element = box.current;
    if (!element || !data) return;
    const [ink, grid, fill] = scheme === 'dark' ? ['#c9c9c9', '#424242', '#4c6ef5'] : ['#343a40', '#dee2e6', '#4263eb'];
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, font: '11px system-ui' };
    const plot = new UPlot(
      {
        width: element.clientWidth || 320,
        height: 150,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { range: [starts[0]! / 1000, starts[BARS]! / 1000] }, y: { range: (_, __, max) => [0, Math.max(1, max)] } },
        axes: [
          { ...axis, values: (_, times) => times.map((time) => format.shortDate(new Date(time * 1000))), space: 90 },
          { ...axis, size: 56, values: (_, values) => values.map((value) => format.number(value)) },
        ],
        series: [{}, { stroke: fill, fill, width: 0, points: { show: false }, paths: UPlot.paths.bars!({ align: 1, size: [0.9, 80] }) }],
      },
      [starts.slice(0, BARS).map((time) => time / 1000), starts.slice(0, BARS).map((_, index) => data[`b${index}`]?.total ?? 0)],
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 150 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [data, starts, scheme, format]);

  return <div ref={box} role="img" aria-label={t.reportChart} className="chart" />;
}
