"""geocode_addresses with the real client library against a local server: who is asked, when, how
often, and what is kept.
"""

from kimo_assets.database import ledger
from kimo_assets.geocoding import positions
from kimo_assets.geocoding.run import preview
from kimo_assets_tests.geocoding.conftest import KEY, Customers, result

ROMA_1 = ("Via Roma 1", "60121", "Ancona", "AN", "IT")
ASKED_ROMA_1 = "Via Roma 1, 60121 Ancona AN, Italia"


def refresh(customers: Customers) -> None:
    with customers.database.connect() as connection, connection.transaction():
        positions.refresh(connection, ledger.begin_load(connection, "test", None))


def test_an_answer_is_kept_with_all_that_tells_how_good_it_is(customers: Customers) -> None:
    customers.google.always_answer(
        "Roma 1", [result(43.25, 13.5, "RANGE_INTERPOLATED", partial_match=True)]
    )
    customers.add("C1", *ROMA_1)
    report = customers.run()
    assert customers.rows(
        "SELECT query, status, latitude, longitude, location_type, partial_match, place_id,"
        " formatted_address, province, now() - answered_at < interval '1 minute' FROM ops.geocode"
    ) == [
        (
            ASKED_ROMA_1,
            "OK",
            43.25,
            13.5,
            "RANGE_INTERPOLATED",
            True,
            "ChIJ43.25",
            "Via Roma, 1, 60121 Ancona AN, Italia",
            "AN",
            True,
        )
    ]
    assert (report.counts["asked"], report.counts["answered"], report.counts["found"]) == (1, 1, 1)
    assert (customers.listener.total, customers.listener.advanced) == (1, 1)


def test_the_call_keeps_to_the_country_and_to_the_language(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    customers.add("C2", "Bahnhofstr. 3", "8001", "Zürich", "", "CH")
    customers.add("C3", "Main St 3", "", "Accra", "", "Ghana")
    customers.run()
    calls = {asked.address: asked.parameters for asked in customers.google.asked}
    home = calls[ASKED_ROMA_1]
    assert (home["components"], home["region"], home["language"], home["key"]) == (
        "country:IT",
        "it",
        "it",
        KEY,
    )
    assert calls["Bahnhofstr. 3, 8001 Zürich, CH"]["components"] == "country:CH"
    assert "components" not in calls["Main St 3, Accra, Ghana"]


def test_each_distinct_address_is_asked_once_for_all_who_have_it(customers: Customers) -> None:
    for number, spelling in enumerate(
        ("Via Roma, 1", "VIA ROMA N. 1", "via  roma 1", "Via Roma 1 int. 3")
    ):
        customers.add(f"C{number}", spelling, "60121", "ANCONA (AN)", "", "ITALIA")
    customers.add("S1", *ROMA_1, kind=2)
    customers.add("P1", "Via del Prospetto 3", "60121", "Ancona", kind=3)
    report = customers.run()
    assert customers.addresses == [ASKED_ROMA_1]
    assert (report.counts["accounts"], report.counts["addresses"]) == (5, 1)
    refresh(customers)
    assert customers.rows(
        'SELECT count(*), count(DISTINCT "Latitude") FROM kimo."EntityGeoposition"'
    ) == [(5, 1)]


def test_a_second_run_asks_nothing_and_a_changed_address_is_asked(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    customers.add("C2", "Via Roma 2", "60121", "Ancona")
    customers.run()
    assert customers.run().counts["asked"] == 0
    customers.execute(
        """UPDATE kimo."Account" SET "AddressLine" = 'Via Verdi 7' WHERE "Id" = 'C1'"""
    )
    customers.run()
    assert len(customers.addresses) == 3
    assert customers.addresses[-1] == "Via Verdi 7, 60121 Ancona AN, Italia"
    assert customers.rows("SELECT count(*) FROM ops.address") == [(2,)]


def test_addresses_of_archived_accounts_are_forgotten_and_not_asked(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    customers.add("C2", "Via Roma 2", "60121", "Ancona")
    customers.execute("""UPDATE kimo."Account" SET _archived_load = 1 WHERE "Id" = 'C2'""")
    customers.run()
    assert customers.addresses == [ASKED_ROMA_1]
    customers.execute("""UPDATE kimo."Account" SET _archived_load = 1""")
    report = customers.run()
    assert customers.rows("SELECT count(*) FROM ops.address") == [(0,)]
    assert report.counts["accounts"] == 0
    # The answer itself may be kept for its days: the account may come back.
    assert customers.rows("SELECT count(*) FROM ops.geocode") == [(1,)]
    customers.age(31)
    customers.run()
    assert customers.rows("SELECT count(*) FROM ops.geocode") == [(0,)]


def test_a_position_set_by_a_person_is_neither_asked_nor_touched(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    customers.add("C2", "Via Roma 2", "60121", "Ancona")
    customers.place("C2", 10.5, 11.5)
    report = customers.run()
    refresh(customers)
    assert customers.addresses == [ASKED_ROMA_1]
    assert report.counts["by person"] == 1
    assert customers.rows(
        """SELECT "EntityId", "Origin", "Latitude"::text FROM kimo."EntityGeoposition"
            WHERE "EntityId" = 'C2'"""
    ) == [("C2", 2, "10.5")]


def test_coordinates_older_than_the_terms_allow_are_asked_anew(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    customers.run()
    customers.age(26)
    assert customers.run().counts["asked"] == 0
    customers.age(1.5)
    report = customers.run()
    assert (report.counts["asked"], report.counts["expired"]) == (1, 0)
    assert customers.rows("SELECT answered_at > now() - interval '1 hour' FROM ops.geocode") == [
        (True,)
    ]


def test_coordinates_that_could_not_be_refreshed_in_time_are_forgotten_but_not_the_place_id(
    customers: Customers,
) -> None:
    customers.add("C1", *ROMA_1)
    customers.run()
    refresh(customers)
    (before,) = customers.rows("SELECT place_id FROM ops.geocode")
    customers.age(30.1)
    report = customers.run(key=None)
    refresh(customers)
    assert customers.rows(
        "SELECT place_id, status, latitude, longitude, formatted_address, location_type FROM"
        " ops.geocode"
    ) == [(*before, "EXPIRED", None, None, None, None)]
    sent = customers.rows('SELECT "Latitude", "Longitude", "PlaceId" FROM kimo."EntityGeoposition"')
    assert sent == [(None, None, *before)]
    assert (report.counts["expired"], report.counts["waiting"], report.counts["found"]) == (1, 1, 0)
    assert customers.run().counts["found"] == 1


def test_new_addresses_come_first_then_the_oldest(customers: Customers) -> None:
    for number in (1, 2, 3):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    customers.run()
    customers.execute(
        "UPDATE ops.geocode SET answered_at = now() - "
        "CASE WHEN query LIKE '%Roma 2%' THEN interval '29 days' ELSE interval '28 days' END"
    )
    customers.add("C9", "Via Zara 9", "60121", "Ancona")
    customers.settings["daily_budget"] = 3 + 2
    customers.run()
    assert [address.split(",")[0] for address in customers.addresses[3:]] == [
        "Via Zara 9",
        "Via Roma 2",
    ]


def test_the_days_budget_ends_a_run_in_order_and_tomorrow_goes_on(customers: Customers) -> None:
    customers.settings["daily_budget"] = 2
    for number in range(5):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    report = customers.run()
    assert customers.google.calls == 2
    assert "daily_budget" in report.notes[0]
    assert "3 addresses wait" in report.notes[1]
    assert (report.counts["asked"], report.counts["waiting"]) == (2, 3)
    assert customers.run().counts["asked"] == 0
    customers.execute("UPDATE ops.geocode_call SET day = day - 1")
    customers.run()
    assert customers.google.calls == 4
    assert len(set(customers.addresses)) == 4
    # The day is that of Google's clock.
    today = (
        "SELECT max(day) - (now() AT TIME ZONE 'America/Los_Angeles')::date FROM ops.geocode_call"
    )
    assert customers.rows(today) == [(0,)]


def test_calls_that_are_repeated_count_in_the_budget_too(customers: Customers) -> None:
    customers.settings["daily_budget"] = 2
    customers.add("C1", *ROMA_1)
    customers.google.answer_with("UNKNOWN_ERROR", "500", "UNKNOWN_ERROR")
    report = customers.run()
    assert customers.google.calls == 2
    assert customers.rows("SELECT calls FROM ops.geocode_call") == [(2,)]
    assert "budget" in report.notes[0]


def test_without_a_key_the_job_says_so_and_asks_nothing(customers: Customers) -> None:
    customers.add("C1", *ROMA_1)
    for key in (None, "", "  "):
        report = customers.run(key)
        assert customers.google.calls == 0
        assert "GOOGLE_MAPS_API_KEY" in report.notes[0]
        assert report.counts["waiting"] == 1


def test_what_cannot_be_asked_is_a_problem_with_whose_it_is(customers: Customers) -> None:
    customers.add("C1", "Via Roma 1", name="Bar Uno")
    customers.add("C2", name="Bar Due")
    report = customers.run()
    assert customers.google.calls == 0
    assert {(problem.what, problem.why.partition(":")[0]) for problem in report.problems} == {
        ("C1 Bar Uno", "Neither a town nor a post code, only 'Via Roma 1'"),
        ("C2 Bar Due", "There is no address"),
    }
    assert report.counts["not askable"] == 2


def test_many_accounts_of_a_wrong_address_are_one_problem(customers: Customers) -> None:
    customers.google.always_answer("Roma 1", "ZERO_RESULTS")
    for number in range(5):
        customers.add(f"C{number}", *ROMA_1, name=f"Bar {number}")
    (problem,) = customers.run().problems
    assert problem.what == f"C0 Bar 0, C1 Bar 1, C2 Bar 2 and 2 more ({ASKED_ROMA_1})"
    assert "ZERO_RESULTS" in problem.why


def test_another_home_country_makes_the_addresses_anew(customers: Customers) -> None:
    customers.add("C1", "Hauptstr. 1", "8001", "Zürich")
    customers.run()
    customers.settings["country"] = "CH"
    customers.run()
    assert [asked.components for asked in customers.google.asked] == ["country:IT", "country:CH"]


def test_a_preview_counts_calls_costs_and_days_and_leaves_nothing_behind(
    customers: Customers,
) -> None:
    for number in range(5):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    customers.settings |= {"daily_budget": 2, "price_per_1000": 10}
    with customers.database.connect() as connection:
        found = preview(connection, customers.config)
    assert (found.calls, found.new, found.today, found.fits, found.cost, found.days) == (
        5,
        5,
        2,
        2,
        0.05,
        3,
    )
    assert customers.google.calls == 0
    assert customers.rows("SELECT count(*) FROM ops.address") == [(0,)]
    customers.run()
    with customers.database.connect() as connection:
        found = preview(connection, customers.config)
    assert (found.calls, found.fits, found.days) == (3, 0, 2)
