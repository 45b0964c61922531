"""What each of Google's statuses and each fault of the network comes to, by the real client library
over HTTP.
"""

import logging
import traceback
from contextlib import suppress
from itertools import pairwise

import pytest

from kimo_assets.database.server import Database
from kimo_assets.demo.fake_google import MESSAGES, FakeGoogle
from kimo_assets.errors import GeocodingError
from kimo_assets_tests.geocoding.conftest import KEY, Customers, Listener, result

STREETS = ("Via Alfa 1", "Via Beta 2", "Via Gamma 3")


@pytest.fixture
def three(customers: Customers) -> Customers:
    for number, street in enumerate(STREETS):
        customers.add(f"C{number}", street, "60121", "Ancona", "AN", "IT")
        customers.google.always_answer(street, [result()])
    return customers


def statuses(customers: Customers) -> list[str]:
    return [status for (status,) in customers.rows("SELECT status FROM ops.geocode ORDER BY query")]


def test_zero_results_are_kept_listed_for_correction_and_not_asked_again(three: Customers) -> None:
    three.google.always_answer("Via Alfa", "ZERO_RESULTS")
    three.google.answer_with("ZERO_RESULTS")
    report = three.run()
    assert statuses(three) == ["ZERO_RESULTS", "OK", "OK"]
    assert report.counts["zero results"] == 1
    assert [(problem.what, "correct" in problem.why) for problem in report.problems] == [
        ("C0 Bar (Via Alfa 1, 60121 Ancona AN, Italia)", True)
    ]
    assert three.run().counts["asked"] == 0


def test_an_invalid_request_is_listed_and_the_run_goes_on(three: Customers) -> None:
    three.google.answer_with("INVALID_REQUEST")
    report = three.run()
    assert statuses(three) == ["INVALID_REQUEST", "OK", "OK"]
    assert "INVALID_REQUEST" in report.problems[0].why
    assert three.run().counts["asked"] == 0


def test_an_unknown_error_is_tried_again(three: Customers) -> None:
    three.google.answer_with("UNKNOWN_ERROR", "UNKNOWN_ERROR")
    report = three.run()
    assert (three.google.calls, report.counts["answered"], report.problems) == (5, 3, ())


def test_an_unknown_error_that_stays_is_listed_is_no_answer_and_is_asked_by_the_next_run(
    three: Customers,
) -> None:
    three.google.answer_with(*["UNKNOWN_ERROR"] * 3)
    report = three.run()
    assert statuses(three) == ["OK", "OK"]
    (problem,) = report.problems
    assert problem.what.startswith("C0 Bar")
    assert "UNKNOWN_ERROR" in problem.why
    assert (report.counts["asked"], report.counts["answered"], report.counts["waiting"]) == (
        3,
        2,
        1,
    )
    assert three.run().counts["answered"] == 1


def test_too_many_calls_are_waited_for_longer_each_time(three: Customers) -> None:
    three.google.answer_with(*["OVER_QUERY_LIMIT"] * 4)
    report = three.run()
    assert report.counts["answered"] == 3
    assert [wait for wait in three.listener.slept if wait >= 1] == [1, 2, 4, 8]
    assert "slower pace" in three.listener.lines[0]


@pytest.mark.parametrize("fault", ["OVER_QUERY_LIMIT", "429"])
def test_too_many_calls_for_minutes_end_the_run_in_order(three: Customers, fault: str) -> None:
    three.google.answer_with(*[fault] * 50)
    report = three.run()
    assert 100 < sum(three.listener.slept) < 200
    assert "the next run goes on" in report.notes[0]
    assert "3 addresses wait" in report.notes[1]
    assert statuses(three) == []


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (
            "OVER_DAILY_LIMIT",
            None,
            ("OVER_DAILY_LIMIT", "You must enable Billing", "billing account"),
        ),
        (
            "OVER_QUERY_LIMIT",
            "You have exceeded your daily request quota for this API.",
            ("daily request quota", "quota"),
        ),
        (
            "REQUEST_DENIED",
            None,
            (
                "The provided API key is invalid",
                "GOOGLE_MAPS_API_KEY",
                "API enabled",
                "restrictions",
            ),
        ),
        (
            "REQUEST_DENIED",
            "This API project is not authorized to use this API.",
            ("not authorized to use this API",),
        ),
    ],
)
def test_a_refusal_stops_the_run_at_once_says_what_to_do_and_keeps_what_was_answered(
    three: Customers, status: str, message: str | None, words: tuple[str, ...]
) -> None:
    three.settings["daily_budget"] = 1
    three.run()
    three.settings["daily_budget"] = 100
    three.google.answer_with(status, message=message)
    with pytest.raises(GeocodingError) as raised:
        three.run()
    assert three.google.calls == 2
    assert statuses(three) == ["OK"]
    for word in words:
        assert word in str(raised.value)


def test_a_key_that_is_none_of_googles_is_found_before_anything_is_asked(three: Customers) -> None:
    with pytest.raises(
        GeocodingError, match="GOOGLE_MAPS_API_KEY is no key of Google Maps: these begin with AIza"
    ):
        three.run("my-secret-key")
    assert three.google.calls == 0


def test_a_key_that_google_does_not_know_is_refused(own_database: Database) -> None:
    with FakeGoogle(key="AIzaRight") as strict:
        customers = Customers(own_database, strict)
        customers.add("C1", "Via Alfa 1", "60121", "Ancona")
        with pytest.raises(GeocodingError, match="REQUEST_DENIED"):
            customers.run("AIzaWrong")
        assert customers.run("AIzaRight").counts["answered"] == 1


@pytest.mark.parametrize("fault", ["500", "503", "502", "cut", "garbage", "other format", "404"])
def test_a_fault_of_the_line_is_tried_again(three: Customers, fault: str) -> None:
    three.google.answer_with(fault, fault)
    report = three.run()
    assert (three.google.calls, report.counts["answered"]) == (5, 3)


@pytest.mark.parametrize("fault", ["500", "cut", "garbage", "other format"])
def test_a_fault_that_stays_is_listed_with_what_was_seen(three: Customers, fault: str) -> None:
    three.google.always_answer("Via Beta", fault)
    three.google._of_address.pop("Via Beta 2")
    report = three.run()
    assert statuses(three) == ["OK", "OK"]
    (problem,) = report.problems
    words = {
        "500": "HTTP status 500",
        "cut": "cut",
        "garbage": "not in the format",
        "other format": "not in the format",
    }
    assert words[fault] in problem.why


def test_a_server_that_is_silent_is_given_up(three: Customers) -> None:
    three.settings["timeout_s"] = 0.1
    three.google.answer_with("silent", "silent", "silent")
    (problem,) = three.run().problems
    assert "no answer within 0.1 s" in problem.why.lower()


def test_a_redirection_is_not_followed_with_the_key(three: Customers) -> None:
    three.google.answer_with("302", "302", "302")
    (problem,) = three.run().problems
    assert "HTTP status 302" in problem.why


@pytest.mark.parametrize("fault", ["500", "garbage", "UNKNOWN_ERROR"])
def test_several_addresses_in_a_row_without_an_answer_end_the_run(
    customers: Customers, fault: str
) -> None:
    for number in range(9):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    customers.google.answer_with(*[fault] * 50)
    with pytest.raises(GeocodingError, match="5 addresses in a row got no answer"):
        customers.run()
    assert customers.google.calls == 15


def test_nobody_there_at_all(customers: Customers) -> None:
    for number in range(9):
        customers.add(f"D{number}", f"Via Roma {number}", "60121", "Ancona")
    customers.settings["base_url"] = "http://127.0.0.1:9"
    with pytest.raises(
        GeocodingError, match="in a row got no answer; the last one: the server cannot be reached"
    ):
        customers.run()


@pytest.mark.parametrize(
    "fault",
    [
        "REQUEST_DENIED",
        "OVER_DAILY_LIMIT",
        "OVER_QUERY_LIMIT",
        "UNKNOWN_ERROR",
        "500",
        "cut",
        "garbage",
        "404",
    ],
)
def test_the_key_is_in_no_message_and_no_log(
    customers: Customers, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(6):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    message = f"The key {KEY} is not good." if fault in MESSAGES else None
    customers.google.answer_with(*[fault] * 60, message=message)
    with suppress(GeocodingError):
        caplog.handler.stream.write(str(customers.run()))
    told = caplog.text + "".join(customers.listener.lines)
    assert KEY not in told


@pytest.mark.parametrize("fault", ["REQUEST_DENIED", "500", "cut", "garbage"])
def test_the_key_is_in_no_error_nor_in_what_it_came_from(customers: Customers, fault: str) -> None:
    for number in range(6):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    customers.google.answer_with(
        *[fault] * 60, message=f"The key {KEY} is not good." if fault in MESSAGES else None
    )
    with pytest.raises(GeocodingError) as raised:
        customers.run()
    assert KEY not in "".join(traceback.format_exception(raised.value))
    assert (raised.value.__context__, raised.value.__cause__) == (None, None)


# --- which result
# --------------------------------------------------------------------------------------------------


def test_of_several_results_the_one_in_the_post_code_then_in_the_province_is_kept(
    customers: Customers,
) -> None:
    customers.add("C1", "Via Alfa 1", "60121", "Ancona", "AN")
    customers.add("C2", "Via Beta 1", "", "Castelfidardo", "AN")
    elsewhere = result(45.0, post_code="20100", province="MI")
    nearby = result(43.7, post_code="60019")
    right = result(43.61)
    customers.google.always_answer("Via Alfa", [elsewhere, nearby, right])
    customers.google.always_answer("Via Beta", [elsewhere, nearby, right])
    customers.run()
    assert customers.rows("SELECT latitude FROM ops.geocode ORDER BY query") == [(43.61,), (43.7,)]


def test_the_middle_of_a_country_or_region_is_no_position(customers: Customers) -> None:
    customers.add("C1", "Via Alfa 1", "60121", "Ancona", "AN")
    italy = result(42.8, 12.8, "APPROXIMATE", types=("country", "political"), partial_match=True)
    customers.google.always_answer("Alfa", [italy])
    assert customers.run().counts["zero results"] == 1
    assert statuses(customers) == ["ZERO_RESULTS"]


def test_coarse_and_partial_matches_are_listed_the_worst_first(customers: Customers) -> None:
    kinds = {
        "Alfa": ("GEOMETRIC_CENTER", {}),
        "Beta": ("ROOFTOP", {"partial_match": True}),
        "Gamma": ("APPROXIMATE", {}),
    }
    for name, (kind, more) in kinds.items():
        customers.add(name, f"Via {name} 1", "60121", "Ancona", "AN")
        customers.google.always_answer(name, [result(kind=kind, **more)])
    customers.add("good", "Via Delta 1", "60121", "Ancona", "AN")
    customers.google.always_answer("Delta", [result()])
    report = customers.run()
    assert [problem.what.split()[0] for problem in report.problems] == ["Gamma", "Beta", "Alfa"]
    assert (report.counts["coarse"], report.counts["partial"], report.counts["found"]) == (2, 1, 4)


# --- pace
# --------------------------------------------------------------------------------------------------


def test_no_second_has_more_calls_than_allowed_by_the_servers_own_count(
    own_database: Database,
) -> None:
    listener = Listener()
    with FakeGoogle(per_second=7, clock=listener.clock) as google:
        customers = Customers(own_database, google, {"queries_per_second": 7}, listener)
        for number in range(40):
            customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
        report = customers.run()
    assert report.counts["answered"] == google.calls == 40
    times = [asked.at for asked in google.asked]
    assert all(times[later] - times[later - 7] >= 1 for later in range(7, 40))
    assert times[-1] - times[0] < 6


def test_repeated_calls_keep_the_pace_too(own_database: Database) -> None:
    listener = Listener()
    with FakeGoogle(clock=listener.clock) as google:
        customers = Customers(own_database, google, {"queries_per_second": 1}, listener)
        for number in range(3):
            customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
        google.answer_with("UNKNOWN_ERROR", "UNKNOWN_ERROR")
        customers.run()
    times = [asked.at for asked in google.asked]
    assert len(times) == 5
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))
