"""The stand-in for Google: the same answers every time, in Italy, in Google's format."""

import requests

from kimo_assets.demo.fake_google import DEMO_KEY, PATH, FakeGoogle, results

_ADDRESSES = [
    f"Via {name} {number}, {post_code} {town}, Italia"
    for name in ("Roma", "Verdi", "Garibaldi", "Adriatica")
    for number in range(1, 60)
    for post_code, town in (("60121", "Ancona AN"), ("73100", "Lecce LE"), ("22100", "Como CO"))
]


def test_answers_are_the_same_every_time_and_in_italy() -> None:
    first = {address: results(address) for address in _ADDRESSES}
    assert first == {address: results(address) for address in _ADDRESSES}
    for found in first.values():
        for result in found:
            where = result["geometry"]["location"]
            assert 35 < where["lat"] < 47.5
            assert 6 < where["lng"] < 19


def test_all_qualities_occur_and_most_are_good() -> None:
    found = [results(address) for address in _ADDRESSES]
    kinds = [result[0]["geometry"]["location_type"] for result in found if result]
    assert set(kinds) == {"ROOFTOP", "RANGE_INTERPOLATED", "GEOMETRIC_CENTER", "APPROXIMATE"}
    assert kinds.count("ROOFTOP") > len(kinds) / 2
    assert [] in found
    assert any(result and result[0].get("partial_match") for result in found)


def test_houses_of_a_street_are_near_each_other() -> None:
    spots = [results(f"Via Roma {number}, 60121 Ancona AN, Italia") for number in range(1, 40)]
    latitudes = [spot[0]["geometry"]["location"]["lat"] for spot in spots if spot]
    assert max(latitudes) - min(latitudes) < 0.1


def test_it_speaks_googles_format_and_counts() -> None:
    with FakeGoogle() as google:
        address = {"address": "Via Roma 3, 60121 Ancona AN, Italia", "components": "country:IT"}
        found = requests.get(
            google.url + PATH, params=address | {"key": DEMO_KEY}, timeout=10
        ).json()
        denied = requests.get(
            google.url + PATH, params=address | {"key": "wrong"}, timeout=10
        ).json()
        empty = requests.get(google.url + PATH, params={"key": DEMO_KEY}, timeout=10).json()
        other = requests.get(f"{google.url}/maps/api/elevation/json", timeout=10)
    assert found["status"] == "OK"
    (result,) = found["results"]
    assert {"address_components", "formatted_address", "geometry", "place_id", "types"} <= set(
        result
    )
    names = {
        component["types"][0]: component["short_name"] for component in result["address_components"]
    }
    assert (names["postal_code"], names["locality"], names["administrative_area_level_2"]) == (
        "60121",
        "Ancona",
        "AN",
    )
    assert (denied["status"], empty["status"], other.status_code) == (
        "REQUEST_DENIED",
        "INVALID_REQUEST",
        404,
    )
    assert "API key is invalid" in denied["error_message"]
    assert google.calls == 3
    assert google.asked[0].components == "country:IT"
