"""The table by province, and the figures of a run."""

from kimo_assets.geocoding.report import provinces, totals
from kimo_assets_tests.geocoding.conftest import Customers, result


def test_provinces_count_what_is_known_of_their_accounts(customers: Customers) -> None:
    answers = {
        "Alfa": [result()],
        "Beta": [result(kind="APPROXIMATE")],
        "Gamma": [result(partial_match=True)],
        "Delta": "ZERO_RESULTS",
    }
    for number, (name, answer) in enumerate(answers.items()):
        customers.google.always_answer(name, answer)
        customers.add(f"A{number}", f"Via {name} 1", "60121", "Ancona", "AN")
    customers.add("A9", "Via Alfa 1", "60121", "Ancona", "Ancona", kind=2)
    customers.add("M1", "Via Zeta 1", "20100", "Milano", "MI")
    customers.place("M1")
    customers.add("N1", "Via Nessuno 1")
    customers.google.always_answer("Omega", [result(post_code="40121", province="BO")])
    customers.add("B1", "Via Omega 1", "40121", "Bologna")
    customers.run()
    customers.add("W1", "Via Waiting 1", "20100", "Milano", "MI")
    with customers.database.connect() as connection:
        found = {one.code: one for one in provinces(connection)}
        figures = totals(connection)
    ancona = found["AN"]
    assert (
        ancona.accounts,
        ancona.found,
        ancona.coarse,
        ancona.partial,
        ancona.zero,
        ancona.waiting,
    ) == (5, 4, 1, 1, 1, 0)
    assert ancona.as_json()["name"] == "Ancona"
    # Its address names none: Google does.
    assert found["BO"].found == 1
    # Of a person's, and of an address that no run has seen yet, the province is not known.
    assert (found[""].accounts, found[""].not_askable, found[""].waiting, found[""].by_person) == (
        3,
        1,
        1,
        1,
    )
    assert (figures.accounts, figures.addresses, figures.by_person, figures.not_askable) == (
        9,
        5,
        1,
        1,
    )
