import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useRef } from 'react';
import UPlot from 'uplot';

import type { ReportQuery } from '../generated/graphql';
import { useWords } from '../words';

const DAY_SECONDS = 86_400;
const BARS = 100; // at most: of more days, several share a bar

interface Props {
  days: NonNullable<NonNullable<ReportQuery['customerServiceReport']>['days']>;
  from: string;
  to: string;
}

/** Returns the local midnight of a day by UTC, so that it has the same date in words. */
function localDay(time: number): Date {
  const day = new Date(time * 1000);
  return new Date(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate());
}

/** The number of actions by day, UTC as the gateway counts them. Days without actions are there, too, as gaps. */
export default function ReportChart({ days, from, to }: Props) {
  const { t, format } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');
  const [starts, totals] = useMemo(() => {
    const dayOf = (time: string) => Date.parse(time) / 1000 / DAY_SECONDS;
    const first = Math.floor(dayOf(from));
    const length = Math.max(1, Math.ceil(dayOf(to)) - first);
    const width = Math.ceil(length / BARS);
    const bars = Array.from({ length: Math.ceil(length / width) }, () => 0);
    for (const { day, total } of days) bars[Math.floor((dayOf(day) - first) / width)]! += total;
    return [bars.map((_, index) => (first + index * width) * DAY_SECONDS), bars] as const;
  }, [days, from, to]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const [ink, grid, fill] = scheme === 'dark' ? ['#c9c9c9', '#424242', '#4c6ef5'] : ['#343a40', '#dee2e6', '#4263eb'];
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, font: '11px system-ui' };
    const plot = new UPlot(
      {
        width: element.clientWidth || 320,
        height: 150,
        tzDate: (time) => UPlot.tzDate(new Date(time * 1000), 'Etc/UTC'),
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { range: [starts[0]!, starts[0]! + starts.length * (starts[1] ? starts[1] - starts[0]! : DAY_SECONDS)] }, y: { range: (_, __, max) => [0, Math.max(1, max)] } },
        axes: [
          { ...axis, values: (_, times) => times.map((time) => format.shortDate(localDay(time))), space: 90 },
          { ...axis, size: 56, values: (_, values) => values.map((value) => format.number(value)) },
        ],
        series: [{}, { stroke: fill, fill, width: 0, points: { show: false }, paths: UPlot.paths.bars!({ align: 1, size: [0.9, 80] }) }],
      },
      [starts, totals],
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 150 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [starts, totals, scheme, format]);

  return <div ref={box} role="img" aria-label={t.reportChart} className="chart" />;
}
