"""The picture of the customers' positions: a small SVG, the same for the same positions."""

import re
from xml.etree import ElementTree

import pytest

from kimo_assets.geocoding.plot import QUALITIES, Position, positions_svg, read_positions
from kimo_assets_tests.geocoding.conftest import Customers

SVG = "{http://www.w3.org/2000/svg}"


def italy(count: int) -> list[Position]:
    """Spread without chance over where Italy is, in all qualities."""
    names = list(QUALITIES)
    return [
        Position(
            37 + 10 * (n * 0.754877666 % 1),
            7 + 11 * (n * 0.569840296 % 1),
            names[n % 97 % len(names)],
        )
        for n in range(count)
    ]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_tens_of_thousands_of_customers_stay_a_small_file_that_is_always_the_same() -> None:
    assert len(positions_svg(italy(60_000)).encode()) < 250_000
    some = italy(2_000)
    assert positions_svg(list(reversed(some))) == positions_svg(some)


def test_the_legend_counts_each_quality_and_the_axes_have_degrees() -> None:
    svg = positions_svg(
        [Position(43.6, 13.5, "ROOFTOP")] * 3 + [Position(45.4, 9.2, "APPROXIMATE")]
    )
    words = texts(svg)
    assert "4 positions" in words
    assert "3 (75.0 %) to the house" in words
    assert "1 (25.0 %) only the area" in words
    assert "0 set by a person" in words
    assert {"44° N", "45° N", "10° E", "12° E"} <= set(words)


def test_a_cell_shows_how_many_are_in_it_what_most_are_and_the_worst() -> None:
    here, there = (43.6, 13.5), (45.0, 9.0)
    many = [Position(*here, "ROOFTOP")] * 20 + [
        Position(*here, "partial"),
        Position(*here, "APPROXIMATE"),
    ]
    few = [Position(*there, "ROOFTOP"), Position(*there, "GEOMETRIC_CENTER")]
    strokes = re.findall(
        r'<path stroke="(#\w+)" stroke-width="([\d.]+)"', positions_svg(many + few)
    )
    expected = [("ROOFTOP", "2.67"), ("GEOMETRIC_CENTER", "1.00"), ("APPROXIMATE", "1.00")]
    assert strokes == [(QUALITIES[name][1], width) for name, width in expected]


def test_distances_are_kept_in_the_middle_latitude() -> None:
    """A square of 100 km is drawn as one."""
    north = 100 / 111.2
    east = north / 0.7193  # cos of 44 degrees
    corners = [
        Position(44 - north / 2, 10, "ROOFTOP"),
        Position(44 + north / 2, 10 + east, "ROOFTOP"),
    ]
    frame = re.search(r'<rect x="52" y="18" width="(\d+)" height="(\d+)"', positions_svg(corners))
    assert frame is not None
    assert int(frame[1]) == pytest.approx(int(frame[2]), rel=0.02)


@pytest.mark.parametrize("places", [[], [(43.6, 13.5)], [(0, 0), (0, 179)]])
def test_nobody_one_place_and_the_whole_world_are_pictures_too(
    places: list[tuple[float, float]],
) -> None:
    svg = positions_svg([Position(*place, "partial") for place in places])
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert len(svg) < 5_000


def test_positions_are_read_with_how_they_are_known(customers: Customers) -> None:
    customers.insert(
        "EntityGeoposition",
        Id="1",
        EntityType="Account",
        EntityId="A",
        Origin=1,
        Latitude=43.5,
        Longitude=13.5,
        LocationType="ROOFTOP",
        PartialMatch=False,
    )
    customers.insert(
        "EntityGeoposition",
        Id="2",
        EntityType="Account",
        EntityId="B",
        Origin=1,
        Latitude=43.6,
        Longitude=13.5,
        LocationType="ROOFTOP",
        PartialMatch=True,
    )
    customers.insert(
        "EntityGeoposition",
        Id="3",
        EntityType="Account",
        EntityId="C",
        Origin=1,
        Status="ZERO_RESULTS",
    )
    customers.place("D", 43.7, 13.5)
    with customers.database.connect() as connection:
        found = read_positions(connection)
    qualities = sorted((one.latitude, one.quality) for one in found)
    assert qualities == [(43.5, "ROOFTOP"), (43.6, "partial"), (43.7, "by person")]
