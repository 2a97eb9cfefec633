import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';

import type { LedgerRowFragment } from '../generated/graphql';
import { useWords } from '../words';

/** The balance over time, in steps. The table below has the same figures, for those who do not see it. */
export default function PointsChart({ entries }: { entries: LedgerRowFragment[] }) {
  const { t, format } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sorted = [...entries].reverse();
    // In the order of the ledger, in which each balance follows from the one before; a late entry stands where it came in.
    let last = 0;
    const times = sorted.map(({ occurredAt }) => (last = Math.max(last, Date.parse(occurredAt) / 1000)));
    const [ink, grid, line] = scheme === 'dark' ? ['#c9c9c9', '#424242', '#91a7ff'] : ['#343a40', '#dee2e6', '#4263eb'];
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, font: '11px system-ui' };
    const plot = new UPlot(
      {
        width: element.clientWidth || 320,
        height: 140,
        legend: { show: false },
        cursor: { show: false },
        axes: [
          { ...axis, values: (_, times) => times.map((time) => format.shortDate(new Date(time * 1000))), space: 70 },
          { ...axis, size: 56, values: (_, values) => values.map((value) => format.number(value)) },
        ],
        series: [{}, { stroke: line, width: 2, paths: UPlot.paths.stepped!({ align: 1 }) }],
      },
      [times, sorted.map(({ balanceAfter }) => balanceAfter)],
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 140 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [entries, scheme, format]);

  return <div ref={box} role="img" aria-label={t.chart} className="chart" />;
}
