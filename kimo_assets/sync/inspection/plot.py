"""Bytes over loads as a picture: a small SVG, for a page that shows one and for a file."""

from collections.abc import Mapping, Sequence
from html import escape

from kimo_assets.texts import say

Series = Mapping[str, Sequence[tuple[int, int]]]

_WIDTH, _HEIGHT = 860, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 190, 16, 36
_TICKS = 4
# The colour-blind can tell them apart too (Okabe and Ito). Further lines are dashed.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# Each of them gives round figures at the ticks.
_ROUND = (4, 8, 12, 16, 20, 24, 32, 40, 60, 80, 100)
_UNITS = (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1))


def bytes_over_loads(series: Series) -> str:
    """An SVG with a line for each series: name -> (load, bytes), ascending.

    A line has its name and last value beside it. The axis of bytes begins at zero.
    """
    points = [point for line in series.values() for point in line]
    loads = [load for load, _ in points] or [0]
    first, last = min(loads), max(loads)
    top = _ceiling(max((size for _, size in points), default=0))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(load: int) -> float:
        # One load alone leaves nothing to divide by.
        if first == last:
            return _LEFT + width / 2
        return _LEFT + width * (load - first) / (last - first)

    def y(size: float) -> float:
        return _TOP + height * (1 - size / top)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
            f' viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">'
        ),
        # White by itself, because the page around it may be dark.
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        parts.append(f'<path d="M{_LEFT} {y(value):.1f}h{width}" stroke="#dddddd"/>')
        parts.append(_text(_LEFT - 8, y(value) + 4, _size(value, top), "end"))
    for load in dict.fromkeys((first, last)):
        parts.append(_text(x(load), _HEIGHT - 14, say("sync.plot_load", load=load), "middle"))
    for position, (name, line) in enumerate(series.items()):
        if not line:
            continue
        parts += _line(position, [(x(load), y(size)) for load, size in line])
        label = f"{name}  {_size(line[-1][1])}"
        # As if there were ten lines at least, so that the labels of few stand close together.
        label_y = _TOP + 12 + position * height / max(len(series), 10)
        colour = _COLOURS[position % len(_COLOURS)]
        parts.append(_text(_WIDTH - _RIGHT + 16, label_y, label, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def _line(position: int, points: Sequence[tuple[float, float]]) -> list[str]:
    colour = _COLOURS[position % len(_COLOURS)]
    dashes = ' stroke-dasharray="6 3"' if position >= len(_COLOURS) else ""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    end_x, end_y = points[-1]
    return [
        f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>',
        f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="3" fill="{colour}"/>',
    ]


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#444444") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f' fill="{colour}">{escape(text)}</text>'
    )


def _ceiling(value: int) -> int:
    """The next number that gives round figures when it is divided into four parts."""
    power: int = 10 ** max(len(str(value)) - 2, 0)
    return next(factor * power for factor in _ROUND if factor * power >= value)


def _size(value: float, scale: float | None = None) -> str:
    """In the biggest unit that fits the value. scale: a value whose unit all ticks share."""
    for unit, factor in _UNITS:
        if (scale or value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} B"
