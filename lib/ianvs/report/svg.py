"""Charts as SVG text: no library, no script, no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#1f6fb2", "#d1495b", "#3a8f5b", "#8d5fb5", "#c7852b", "#2a9d9d", "#7a7a7a", "#b5478c")
WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 20, 44


@dataclass(frozen=True)
class Series:
    """A named line or cloud of (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels."""

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def over(cls, values: Sequence[float], first: float, last: float) -> Scale:
        """A scale that shows all of ``values`` with a little air."""
        low, high = min(values), max(values)
        air = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
        return cls(low - air, high + air, first, last)

    def at(self, value: float) -> float:
        """Pixel of a value."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, count: int = 5, *, whole: bool = False) -> list[float]:
        """Round values across the scale; ``whole``: integers only."""
        span = self.high - self.low
        step = 10 ** math.floor(math.log10(span / count))
        step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= count)
        step = max(1.0, step) if whole else step
        start = math.ceil(self.low / step)
        return [tick * step for tick in range(start, math.floor(self.high / step) + 1)]


def format_number(value: float) -> str:
    """A value for an axis."""
    return f"{value:.4g}"


def colour(index: int) -> str:
    """The colour of the n-th series."""
    return COLOURS[index % len(COLOURS)]


def chart(series: Sequence[Series], x_name: str, y_name: str, *, lines: bool) -> str:
    """A chart with axes: lines with marks over whole numbers, or marks alone. Empty series are left out."""
    shown = [entry for entry in series if entry.points]
    if not shown:
        return ""
    x = Scale.over([point[0] for entry in shown for point in entry.points], _LEFT, WIDTH - _RIGHT)
    y = Scale.over([point[1] for entry in shown for point in entry.points], HEIGHT - _BOTTOM, _TOP)
    parts = [_axes(x, y, x_name, y_name, whole=lines)]
    for index, entry in enumerate(shown):
        parts.append(_series(entry, x, y, colour(index), lines))
    return f"{_open(HEIGHT)}{''.join(parts)}</svg>{_legend([entry.name for entry in shown])}"


def _open(height: float) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">'


def _axes(x: Scale, y: Scale, x_name: str, y_name: str, *, whole: bool) -> str:
    parts = []
    for tick in x.ticks(whole=whole):
        at = x.at(tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - _BOTTOM + 16}" class="mid">{format_number(tick)}</text>')
    for tick in y.ticks():
        at = y.at(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" class="end">{format_number(tick)}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" class="mid">{escape(x_name)}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_TOP - 6}">{escape(y_name)}</text>')
    return "".join(parts)


def _series(entry: Series, x: Scale, y: Scale, tone: str, lines: bool) -> str:
    pixels = [(x.at(px), y.at(py)) for px, py in entry.points]
    parts = []
    if lines and len(pixels) > 1:
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in pixels)
        parts.append(f'<path d="M{path}" fill="none" stroke="{tone}" stroke-width="2"/>')
    for (px, py), (value_x, value_y) in zip(pixels, entry.points, strict=True):
        title = f"<title>{escape(entry.name)}: {format_number(value_x)}, {format_number(value_y)}</title>"
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{tone}">{title}</circle>')
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    items = [f'<li><i style="background:{colour(n)}"></i>{escape(name)}</li>' for n, name in enumerate(names)]
    return f'<ul class="legend">{"".join(items)}</ul>'


def parallel(axes: Sequence[tuple[str, Sequence[object]]], names: Sequence[str]) -> str:
    """Parallel coordinates: an upright for each (name, values), a line for each of ``names``.

    Values that are all numbers are placed by size, others evenly in the order of their texts.
    """
    if not names or len(axes) < 2:
        return ""
    gap = (WIDTH - _LEFT - _RIGHT - 40) / (len(axes) - 1)
    columns = [_places(values) for _, values in axes]
    parts: list[str] = []
    texts: list[str] = []  # over the lines
    for index, ((name, _), (_, ticks)) in enumerate(zip(axes, columns, strict=True)):
        at = _LEFT + index * gap
        parts.append(f'<path class="axis" d="M{at:.1f} {_TOP + 10}V{HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - 18 - 12 * (index % 2)}" class="mid">{escape(name)}</text>')
        texts += [f'<text x="{at + 6:.1f}" y="{py + 4:.1f}" class="halo">{escape(text)}</text>' for text, py in ticks]
    for row, name in enumerate(names):
        path = "L".join(f"{_LEFT + n * gap:.1f} {places[row]:.1f}" for n, (places, _) in enumerate(columns))
        title = f"<title>{escape(name)}</title>"
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour(row)}" stroke-width="2">{title}</path>')
    return f"{_open(HEIGHT)}{''.join(parts + texts)}</svg>{_legend(names)}"


def _places(values: Sequence[object]) -> tuple[list[float], list[tuple[str, float]]]:
    """Pixel of every value, and (text, pixel) of the ticks."""
    first, last = HEIGHT - _BOTTOM - 8.0, _TOP + 20.0
    numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(numbers) == len(values):
        scale = Scale(min(numbers), max(numbers), first, last)
        if scale.low == scale.high:
            return [(first + last) / 2] * len(values), [(format_number(scale.low), (first + last) / 2)]
        return [scale.at(value) for value in numbers], [
            (format_number(v), scale.at(v)) for v in (scale.low, scale.high)
        ]
    texts = sorted({str(value) for value in values})
    step = (first - last) / max(len(texts) - 1, 1)
    place = {text: first - step * n for n, text in enumerate(texts)}
    return [place[str(value)] for value in values], list(place.items())
