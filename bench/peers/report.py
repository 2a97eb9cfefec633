"""What was measured, as tables, as `results.json` and as a plot."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bench.peers.servers import SERVERS

WORKLOADS: Final = {"w1": "one customer, whole", "w2": "fifty customers", "w3": "three values"}
TITLES: Final = {server.name: server.title for server in SERVERS}
Result = Mapping[str, Any]
"""A row of `results.json`."""


class Goal(NamedTuple):
    peer: str
    figure: str
    floors: tuple[float, float, float]
    """For w1, w2, w3, as are ``aims``. Of p99, less is better."""
    aims: tuple[float, float, float]


AT: Final = 16
GOALS: Final = (
    Goal("mercurius", "rps", (1.5, 1.3, 0.8), (4, 5, 1.25)),
    Goal("apollo", "rps", (2.5, 2, 1), (5, 3.5, 1.6)),
    Goal("strawberry", "rps", (8, 5, 5), (15, 8, 9)),
    Goal("mercurius", "p99_ms", (1, 1, 1), (0.3, 0.3, 0.3)),
)


def table(results: Sequence[Result], megabytes: Mapping[str, float]) -> str:
    lines: list[str] = []
    for workload, meaning in WORKLOADS.items():
        rows = [row for row in results if row["workload"] == workload]
        for concurrency in sorted({row["concurrency"] for row in rows}):
            lines += ["", f"{workload}: {meaning}, {concurrency} at once"]
            lines += [f"  {'':16} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8} {'× gateway':>10}"]
            its = [row for row in rows if row["concurrency"] == concurrency]
            ours = next((row["rps"] for row in its if row["server"] == "gateway"), None)
            for row in its:
                share = f"{row['rps'] / ours:10.2f}" if ours else ""
                figures = (f"{row[name]:8.2f}" for name in ("p50_ms", "p99_ms", "cpu_ms"))
                lines += [f"  {TITLES[row['server']]:16} {row['rps']:10.1f} {' '.join(figures)} {share}"]
    lines += ["", "peak memory: " + ", ".join(f"{TITLES[name]} {peak:.0f} MB" for name, peak in megabytes.items())]
    return "\n".join(lines)


def goals(results: Sequence[Result]) -> str:
    """The gateway beside each peer: the ratio, and whether it passes the floor and reaches the aim."""
    found = {(row["workload"], row["server"]): row for row in results if row["concurrency"] == AT}
    lines = ["", f"ratios, gateway : peer, {AT} at once (floor, aim)"]
    for goal in GOALS:
        for workload, floor, aim in zip(WORKLOADS, goal.floors, goal.aims, strict=True):
            ours, theirs = found.get((workload, "gateway")), found.get((workload, goal.peer))
            if not (ours and theirs):
                continue
            ratio = ours[goal.figure] / theirs[goal.figure]
            sign = 1 if goal.figure == "rps" else -1
            verdict = "aim reached" if (ratio - aim) * sign >= 0 else "ok" if (ratio - floor) * sign >= 0 else "MISSED"
            figure = "requests/s" if goal.figure == "rps" else "p99"
            lines += [f"  {workload} {figure:10} {TITLES[goal.peer]:16} {ratio:6.2f}  ({floor:g}, {aim:g})  {verdict}"]
    return "\n".join(lines)


# ---------------------------------------------------------------- the plot

_WIDTH, _LEFT, _BAR, _GAP, _HEAD = 720, 130, 18, 6, 44
_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .head { font-weight: 600 } .note { fill: #59636e }
  .bar { fill: #8c959f } .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 } .bar { fill: #6e7681 } .ours { fill: #4493f8 }
  }
"""


def plot(results: Sequence[Result]) -> str:
    """Requests a second at the goal's concurrency, as SVG that is legible in light and dark."""
    parts: list[str] = []
    y = 0
    for workload, meaning in WORKLOADS.items():
        rows = [row for row in results if row["workload"] == workload and row["concurrency"] == AT]
        if not rows:
            continue
        rows = sorted(rows, key=lambda row: -row["rps"])
        most = rows[0]["rps"]
        parts += [f'<text class="head" x="0" y="{y + 24}">{workload.upper()}: {meaning}</text>']
        parts += [f'<text class="note" x="{_WIDTH}" y="{y + 24}" text-anchor="end">requests/s, {AT} at once</text>']
        y += _HEAD - 8
        for row in rows:
            width = (_WIDTH - _LEFT - 70) * row["rps"] / most
            kind = "ours" if row["server"] == "gateway" else "bar"
            middle = y + _BAR - 4
            parts += [f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{TITLES[row["server"]]}</text>']
            parts += [f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="3"/>']
            parts += [f'<text x="{_LEFT + width + 6:.1f}" y="{middle}">{row["rps"]:,.0f}</text>']
            y += _BAR + _GAP
        y += 12
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    return f"<svg {box}>\n<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
