"""Where the customers are, coloured by how well that is known: an SVG of its own, without anybody's
map beneath.

Google's terms forbid its points on the maps of others, so there are lines of latitude and longitude
only. Positions are drawn in the cells of a fine grid: tens of thousands of customers make a small
file, and the same ones always the same file.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from psycopg import Connection, sql

from kimo_assets.geocoding.positions import GEOCODED
from kimo_assets.texts import say

# From the best to the worst; a person's last. Apart for the colour-blind too (Okabe and Ito).
QUALITIES: Mapping[str, tuple[str, str]] = {
    "ROOFTOP": ("to the house", "#0072b2"),
    "RANGE_INTERPOLATED": ("between house numbers", "#56b4e9"),
    "GEOMETRIC_CENTER": ("middle of a street, a place", "#e69f00"),
    "partial": ("matched in part", "#cc79a7"),
    "APPROXIMATE": ("only the area", "#d55e00"),
    "by person": ("set by a person", "#009e73"),
}
# A word that Google may add one day counts as the least precise one.
_OTHER = "APPROXIMATE"
_NAMES = list(QUALITIES)
_ORDER = {quality: number for number, quality in enumerate(_NAMES)}


@dataclass(frozen=True)
class Position:
    """In degrees. quality: one of QUALITIES."""

    latitude: float
    longitude: float
    quality: str


def read_positions(connection: Connection) -> list[Position]:
    """Of the customers and ship-to sites that have coordinates, as agents get them."""
    rows = connection.execute(
        sql.SQL("""
            SELECT "Latitude"::float8, "Longitude"::float8, CASE WHEN "Origin" IS DISTINCT
                FROM {geocoded} THEN 'by person'
                WHEN "PartialMatch" AND "LocationType" <> 'APPROXIMATE' THEN 'partial'
                    ELSE "LocationType" END
            FROM kimo."EntityGeoposition"
            WHERE "EntityType" = 'Account' AND _archived_load IS NULL AND "Latitude" IS NOT NULL
                AND "Longitude" IS NOT NULL
            """).format(geocoded=sql.Literal(GEOCODED))
    )
    return [
        Position(latitude, longitude, _quality(quality)) for latitude, longitude, quality in rows
    ]


def _quality(name: str | None) -> str:
    if name and name in QUALITIES:
        return name
    return _OTHER


_LONGEST_SIDE = 640
_SHORTEST_SIDE = 160
_LEFT, _TOP, _BOTTOM, _LEGEND = 52, 18, 34, 290
_CELL = 3
# Diameter of a mark by how many customers are in its cell.
_SIZES = ((1, 3), (4, 5), (16, 8), (64, 12))
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45)
_LINES = 7
_SMALLEST_SPAN = 0.01


def positions_svg(positions: Sequence[Position]) -> str:
    """The positions in a projection that keeps distances along the middle latitude, with a legend
    that counts them.
    """
    frame = _Frame.around(positions)
    counts = Counter(position.quality for position in positions)
    width, height = (
        _LEFT + frame.width + _LEGEND,
        max(_TOP + frame.height + _BOTTOM, 24 * len(QUALITIES) + 110),
    )
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0'
            f' 0 {width} {height}" font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *frame.lines(),
        *_marks(frame, positions),
        *_legend(_LEFT + frame.width + 24, counts),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


@dataclass(frozen=True)
class _Frame:
    """The part of the world that is drawn, in degrees, and its size in pixels."""

    south: float
    north: float
    west: float
    east: float
    width: int
    height: int

    @classmethod
    def around(cls, positions: Sequence[Position]) -> "_Frame":
        # Without any position the frame is that of Italy.
        latitudes = [position.latitude for position in positions] or [36.5, 47.1]
        longitudes = [position.longitude for position in positions] or [6.6, 18.6]
        south, north = _widened(min(latitudes), max(latitudes), 1.0)
        squeeze = _squeeze(south, north)
        west, east = _widened(min(longitudes), max(longitudes), 1 / squeeze)
        span_x, span_y = (east - west) * squeeze, north - south
        scale = _LONGEST_SIDE / max(span_x, span_y)
        width, height = (max(round(span * scale), _SHORTEST_SIDE) for span in (span_x, span_y))
        # Where a side is drawn longer than its span, the span grows with it: degrees keep their
        # proportion.
        more_x, more_y = (width / scale - span_x) / squeeze / 2, (height / scale - span_y) / 2
        return cls(south - more_y, north + more_y, west - more_x, east + more_x, width, height)

    def x(self, longitude: float) -> float:
        return self.width * (longitude - self.west) / (self.east - self.west)

    def y(self, latitude: float) -> float:
        return self.height * (self.north - latitude) / (self.north - self.south)

    def lines(self) -> list[str]:
        """The border, and lines of latitude and longitude at round degrees, with their labels."""
        size = f'width="{self.width}" height="{self.height}"'
        parts = [f'<rect x="{_LEFT}" y="{_TOP}" {size} fill="#f7f7f7" stroke="#bbbbbb"/>']
        for latitude in _round_degrees(self.south, self.north):
            y = _TOP + self.y(latitude)
            parts.append(f'<path d="M{_LEFT} {y:.1f}h{self.width}" stroke="#dddddd"/>')
            parts.append(_text(_LEFT - 6, y + 4, _degrees(latitude, "N", "S"), "end"))
        for longitude in _round_degrees(self.west, self.east):
            x = _LEFT + self.x(longitude)
            parts.append(f'<path d="M{x:.1f} {_TOP}v{self.height}" stroke="#dddddd"/>')
            parts.append(_text(x, _TOP + self.height + 18, _degrees(longitude, "E", "W"), "middle"))
        return parts


def _squeeze(south: float, north: float) -> float:
    """How much shorter a degree of longitude is than one of latitude, in the middle."""
    # Near a pole the cosine would be next to nothing, and the margin without limit.
    return max(math.cos(math.radians((south + north) / 2)), 0.1)


def _widened(low: float, high: float, factor: float) -> tuple[float, float]:
    margin = max((high - low) * 0.04, (_SMALLEST_SPAN * factor - (high - low)) / 2)
    return low - margin, high + margin


def _round_degrees(low: float, high: float) -> list[float]:
    step = next((step for step in _STEPS if (high - low) / step <= _LINES), _STEPS[-1])
    return [
        round(number * step, 6)
        for number in range(math.ceil(low / step), math.floor(high / step) + 1)
    ]


def _degrees(value: float, positive: str, negative: str) -> str:
    if value == 0:
        return "0°"
    side = positive if value > 0 else negative
    return f"{abs(value):g}° {side}"


def _marks(frame: _Frame, positions: Iterable[Position]) -> list[str]:
    """One path for each quality and size."""
    cells: dict[tuple[int, int], Counter[int]] = {}
    for position in positions:
        cell = int(frame.y(position.latitude) / _CELL), int(frame.x(position.longitude) / _CELL)
        cells.setdefault(cell, Counter())[_ORDER[position.quality]] += 1
    drawn: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for cell, counts in sorted(cells.items()):
        for quality, count in _shown(counts):
            size = max(size for least, size in _SIZES if count >= least)
            drawn.setdefault((quality, size), []).append(cell)
    # Big marks first, or they would hide small ones.
    ordered = sorted(drawn.items(), key=lambda entry: (-entry[0][1], entry[0][0]))
    paths = [_path(_NAMES[quality], size, marked) for (quality, size), marked in ordered]
    offset = _CELL / 2
    move = f'transform="translate({_LEFT + offset:g} {_TOP + offset:g}) scale({_CELL})"'
    return [f'<g {move} fill="none" stroke-linecap="round">', *paths, "</g>"]


def _shown(counts: Mapping[int, int]) -> list[tuple[int, int]]:
    """Of a cell the most frequent quality, of equal ones the worst.

    The worst of all is added, as a small mark in a large one.
    """
    most, count = max(counts.items(), key=lambda entry: (entry[1], entry[0]))
    worst = max(counts)
    is_large = count >= _SIZES[1][0]
    if worst > most and is_large:
        return [(most, count), (worst, 1)]
    return [(most, count)]


def _path(quality: str, size: int, cells: Iterable[tuple[int, int]]) -> str:
    """Dots as lines of no length: the shortest that SVG has."""
    dots: list[str] = []
    row, column = 0, 0
    for y, x in cells:
        dots.append(f"m{x - column} {y - row}h0")
        row, column = y, x
    return (
        f'<path stroke="{QUALITIES[quality][1]}" stroke-width="{size / _CELL:.2f}" d="M0'
        f' 0{"".join(dots)}"/>'
    )


def _legend(x: float, counts: Mapping[str, int]) -> list[str]:
    """The meaning of each colour, with how many positions have it."""
    total = sum(counts.values())
    title = say("geocoding.positions", count=total)
    parts = [_text(x, _TOP + 14, title, "start", weight="bold")]
    for line, (quality, (meaning, colour)) in enumerate(QUALITIES.items()):
        y = _TOP + 40 + 24 * line
        count = counts.get(quality, 0)
        share = ""
        if count:
            share = f" ({100 * count / total:.1f} %)"
        parts.append(f'<circle cx="{x + 6}" cy="{y - 4}" r="5" fill="{colour}"/>')
        parts.append(_text(x + 20, y, f"{count:,}{share} {meaning}", "start"))
    y = _TOP + 40 + 24 * len(QUALITIES)
    parts.append(_text(x, y, say("geocoding.larger_dots"), "start", colour="#777777"))
    return parts


def _text(
    x: float, y: float, text: str, anchor: str, *, colour: str = "#444444", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f' fill="{colour}" font-weight="{weight}">{escape(text)}</text>'
    )
