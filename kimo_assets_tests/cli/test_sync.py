"""kimo sync weight, diff and verify, on a store written by hand beside a database without payloads
of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.sync.inspection.payload_size import record_weights
from kimo_assets_tests.cli.conftest import Company, NewCompany
from kimo_assets_tests.sync.stores import HandStore


@pytest.fixture(scope="module")
def company(new_company: NewCompany) -> Company:
    return new_company()


@pytest.fixture
def hand(company: Company) -> Iterator[HandStore]:
    """Two agents and a user of A1, after three loads on three days: load 3 changed A1's customers
    and moved C1 to A2.
    """
    hand = HandStore(company.directory / "data" / "sync")
    with company.database.connect() as connection:
        for days in (3, 2, 1):
            connection.execute(
                "INSERT INTO ops.load (title, started_at) VALUES ('import', now() - %s * interval"
                " '1 day')",
                [days],
            )
        connection.execute(
            "INSERT INTO ops.step_result SELECT load, 3, 'Account', 'ok', 0, '{}', NULL FROM"
            " ops.load"
        )
        connection.execute("""INSERT INTO kimo."SalesAgent" ("Id") VALUES ('A1'), ('A2')""")
        items = hand.bucket(hand.base(1, *(f"I{n}=bottle {n * 7}" for n in range(500))))
        mine, theirs = hand.base(1, "C1", "C2"), hand.base(1, "C3")
        lost = hand.change(3, "C1 C2", "C2=Bar", put="C2=Bar", removed="C1")
        got = hand.change(3, "C3", "C1 C3", put="C1")
        own, other = hand.bucket(mine), hand.bucket(theirs)
        for load in (1, 2, 3):
            if load == 3:
                own = hand.bucket(mine, lost, rows=1, number=own["id"])
                other = hand.bucket(theirs, got, rows=2, number=other["id"])
            hand.write("A1", load, Account=[own], Item=[items], Zone=[])
            hand.write("A1", load, user="mrossi", Account=[own], Zone=[])
            hand.write("A2", load, Account=[other], Item=[items], Zone=[])
            record_weights(connection, load, hand.weights(load))
    yield hand
    for file in sorted(hand.folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    with company.database.connect() as connection:
        connection.execute(
            'TRUNCATE ops.load, ops.step_result, ops.agent_weight, kimo."SalesAgent" RESTART'
            " IDENTITY CASCADE"
        )


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# --- weight
# --------------------------------------------------------------------------------------------------


def test_an_agents_weight_by_entity_the_heaviest_first(company: Company, hand: HandStore) -> None:
    result = company.kimo("sync", "weight", "A1")
    table = lines(result.stdout)
    assert table[0] == ["Agent", "A1,", "load", "3"]
    assert [row[0] for row in table[3:6]] == ["Item", "Account", "the"]
    assert table[3][1:3] == ["500", "1"]
    assert "1 entity without rows" in result.stdout
    assert "First sync: 501 rows," in result.stdout
    assert "Item weighs most." in result.stdout


def test_a_usual_day_is_the_median_of_the_days_after_the_first_load(
    company: Company, hand: HandStore
) -> None:
    found = company.json("sync", "weight", "A1")
    change = hand.manifests["agents/A1.json.zst"]["entities"]["Account"]["buckets"][0]["changes"][
        0
    ]["bytes"]
    by_name = {entity["entity"]: entity["daily_bytes"] for entity in found["entities"]}
    assert by_name == {"Account": change // 2, "Item": 0, "Zone": 0}
    assert found["daily_bytes"] == change // 2
    assert company.json("sync", "weight", "A1", "--days", "1")["daily_bytes"] is None


def test_without_enough_loads_it_says_so(company: Company, hand: HandStore) -> None:
    for arguments in (("A1",), ()):
        result = company.kimo("sync", "weight", "--days", "1", *arguments)
        assert "A usual day: not enough loads yet." in result.stdout


def test_seconds_follow_the_speed(company: Company, hand: HandStore) -> None:
    slow, fast = (company.json("sync", "weight", "A1", "--mbit", mbit) for mbit in ("0.01", "100"))
    assert slow["seconds"] == pytest.approx(slow["bytes"] * 8 / 10_000, abs=0.3)
    assert fast["seconds"] == pytest.approx(0.2, abs=0.1)


def test_all_agents_and_users_the_heaviest_first_with_the_stores_total(
    company: Company, hand: HandStore
) -> None:
    result = company.kimo("sync", "weight")
    assert [row[0] for row in lines(result.stdout)[2:5]] == ["A1", "A2", "A1"]
    assert lines(result.stdout)[4][1] == "mrossi"
    assert "2 agents, 1 user: first syncs of" in result.stdout
    found = company.json("sync", "weight")
    files = list((hand.folder / "objects").rglob("*.zst"))
    assert found["store"]["objects"] == len(files)
    assert found["store"]["bytes"] == sum(file.stat().st_size for file in files)
    assert [(one["agent"], one["user"], one["heaviest"]) for one in found["agents"]] == [
        ("A1", None, "Item"),
        ("A2", None, "Item"),
        ("A1", "mrossi", "Account"),
    ]


def test_a_users_weight_is_that_of_their_own_manifest(company: Company, hand: HandStore) -> None:
    found = company.json("sync", "weight", "--user", "mrossi")
    assert (found["agent"], found["user"], found["heaviest"]) == ("A1", "mrossi", "Account")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("weight", "A11"), "holds no payload for agent 'A11'. Did you mean A1?"),
        (("weight", "--user", "mrosi"), "holds no payload for user 'mrosi'. Did you mean mrossi?"),
        (("weight", "A2", "--user", "mrossi"), "user 'mrossi' belongs to agent 'A1', not to 'A2'."),
        (("diff", "A3"), "holds no payload for agent 'A3'."),
        (
            ("diff", "A1", "--since", "9"),
            "--since: no load 9 has published yet. The last that did is 3.",
        ),
        (
            ("diff", "A1", "--since", "1", "--to", "x.sqlite"),
            "--to knows since when. Leave --since out.",
        ),
        (("weight", "A1", "--mbit", "0"), "0.0 is not in the range x>0"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(
    company: Company, hand: HandStore, arguments: tuple[str, ...], said: str
) -> None:
    result = company.kimo("sync", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize("arguments", [("weight",), ("weight", "A1"), ("diff", "A1"), ("verify",)])
def test_before_step_3_has_run_it_says_so(company: Company, arguments: tuple[str, ...]) -> None:
    result = company.kimo("sync", *arguments)
    assert result.exit_code == 1
    assert "holds no payload yet. Prepare them:" in result.stderr


# --- diff
# --------------------------------------------------------------------------------------------------


def test_the_next_sync_brings_what_the_last_publication_changed(
    company: Company, hand: HandStore
) -> None:
    result = company.kimo("sync", "diff", "A1", "--rows")
    assert "Agent A1, load 3: to a tablet that has synced after load 2" in result.stdout
    assert lines(result.stdout)[3][:4] == ["Account", "1", "1", "1"]
    assert "changes of 1 bucket" in result.stdout
    assert "Account + C2\nAccount - C1\n" in result.stdout
    (account,) = company.json("sync", "diff", "A1")["entities"]
    assert (account["put"], account["removed"], account["by_changes"], account["put_keys"]) == (
        1,
        1,
        1,
        [],
    )


def test_a_tablet_that_is_up_to_date_is_told_in_one_line(company: Company, hand: HandStore) -> None:
    result = company.kimo("sync", "diff", "A2", "--since", "3")
    assert (
        result.stdout
        == "Agent A2, load 3: the next sync brings nothing to a tablet that has synced after load"
        " 3.\n"
    )


def test_a_first_sync_is_whole_and_says_why(
    company: Company, hand: HandStore, tmp_path: Path
) -> None:
    missing = str(tmp_path / "new.sqlite")
    for arguments, whom in (
        (("--since", "0"), "has never synced"),
        (("--to", missing), "which is not there yet"),
    ):
        result = company.kimo("sync", "diff", "A2", *arguments)
        assert whom in result.stdout
        assert "1 bucket whole (first sync)" in result.stdout


# --- verify
# --------------------------------------------------------------------------------------------------


def test_a_whole_store_is_said_to_be_whole(company: Company, hand: HandStore) -> None:
    for arguments in ((), ("--all",)):
        result = company.kimo("sync", "verify", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(
            "All is whole: 3 of 3 manifests read, with 5 objects, 5 of them read too ("
        )


def test_damage_is_named_with_what_to_do_and_is_an_exit_code(
    company: Company, hand: HandStore
) -> None:
    victim = max((hand.folder / "objects").rglob("*.zst"), key=lambda file: file.stat().st_size)
    victim.unlink()
    hand.store.remove("agents/A2.json.zst")
    result = company.kimo("sync", "verify")
    assert result.exit_code == 1
    path = victim.relative_to(hand.folder)
    assert (
        f"{path}: the object is not there. What to do: run step 3 again: it writes what is missing."
        " Concerns A1." in result.stdout
    )
    assert (
        "agents/A2.json.zst: agent A2 has no manifest. What to do: run step 3 again"
        in result.stdout
    )
    assert "2 damages: 2 of 2 manifests read" in result.stdout
    found: Any = company.json("sync", "verify")
    assert (found["whole"], len(found["damages"])) == (False, 2)
