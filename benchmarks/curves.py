"""Draw loss against seconds in plain SVG: one line per contender, labelled at its end."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Curve = Sequence[tuple[float, float]]
"""(seconds, nats per character), in order."""

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 250, 24, 52
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f3c8d", "#555555", "#117733")
"""Distinguishable also for colour-blind readers (Okabe and Ito)."""
TICKS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1_200, 1_800, 3_600, 7_200)
NAME_HEIGHT = 15


def drawn(curves: Mapping[str, Sequence[Curve]], lines: Mapping[str, float], lowest: float, highest: float) -> str:
    """Return an SVG document. Seconds are on a logarithmic axis; losses outside `lowest` to `highest` are cut off.

    Each contender has a curve for each of its seeds; `lines` are losses that stand for themselves.
    """
    seconds = [second for runs in curves.values() for curve in runs for second, _ in curve]
    if not seconds:
        raise ValueError("there is no curve to draw")
    picture = _Picture(min(seconds), max(seconds), lowest, highest)
    parts = [*picture.axes(), *(picture.reference(name, loss) for name, loss in lines.items())]
    ends: list[tuple[float, str, str]] = []
    for number, (name, runs) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += [picture.line(curve, colour) for curve in runs]
        ends.append((picture.y(runs[0][-1][1]), name, colour))
    parts += _names(ends)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>'
    return "\n".join([f'{head} font-size="12">', ground, *parts, "</svg>", ""])


class _Picture:
    """Maps seconds and losses to coordinates of the picture."""

    def __init__(self, first: float, last: float, lowest: float, highest: float) -> None:
        self.first, self.last = first, max(last, first * 1.01)
        self.lowest, self.highest = lowest, highest

    def x(self, seconds: float) -> float:
        fraction = math.log(seconds / self.first) / math.log(self.last / self.first)
        return LEFT + fraction * (WIDTH - LEFT - RIGHT)

    def y(self, loss: float) -> float:
        loss = min(max(loss, self.lowest), self.highest)
        return TOP + (self.highest - loss) / (self.highest - self.lowest) * (HEIGHT - TOP - BOTTOM)

    def line(self, curve: Curve, colour: str) -> str:
        points = " ".join(f"{self.x(second):.1f},{self.y(loss):.1f}" for second, loss in curve)
        dots = "".join(
            f'<circle cx="{self.x(s):.1f}" cy="{self.y(loss):.1f}" r="2.5" fill="{colour}"/>' for s, loss in curve
        )
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>{dots}'

    def reference(self, name: str, loss: float) -> str:
        y, end = self.y(loss), WIDTH - RIGHT
        stroke = 'stroke="#888888" stroke-dasharray="4 4"'
        text = f'<text x="{LEFT + 6}" y="{y - 4:.1f}" fill="#555555">{escape(name)}</text>'
        return f'<line x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}" {stroke}/>{text}'

    def axes(self) -> list[str]:
        floor, end = HEIGHT - BOTTOM, WIDTH - RIGHT
        found = [f'<path d="M{LEFT} {TOP}V{floor}H{end}" fill="none" stroke="#333333"/>']
        for second in TICKS:
            if self.first <= second <= self.last:
                place = f'x="{self.x(second):.1f}" y="{floor + 18}" text-anchor="middle"'
                found.append(f'<text {place} fill="#333333">{second:,}</text>')
        step = 0.1 if self.highest - self.lowest <= 1.2 else 0.25
        for number in range(math.ceil(self.lowest / step - 1e-9), math.floor(self.highest / step + 1e-9) + 1):
            y = self.y(number * step)
            found.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}" stroke="#eeeeee"/>')
            place = f'x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end"'
            found.append(f'<text {place} fill="#333333">{number * step:.2f}</text>')
        middle = (LEFT + end) / 2
        seconds = "seconds from the command's start"
        found.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle" fill="#333333">{seconds}</text>')
        found.append(f'<text x="10" y="{TOP - 8}" fill="#333333">validation loss, nats per character</text>')
        return found


def _names(ends: list[tuple[float, str, str]]) -> list[str]:
    """Return the contenders' names beside the ends of their lines, moved down where two would overlap."""
    found, taken = [], -math.inf
    for y, name, colour in sorted(ends):
        taken = max(y + 4, taken + NAME_HEIGHT)
        found.append(f'<text x="{WIDTH - RIGHT + 10}" y="{taken:.1f}" fill="{colour}">{escape(name)}</text>')
    return found
