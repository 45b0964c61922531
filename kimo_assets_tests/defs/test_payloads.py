"""What the UI shows of the payloads: the asset agent_payloads, and the check that reads a sample of
them again.
"""

import time
from base64 import b64decode
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import pytest
from psycopg import Connection

from kimo_assets.database.server import Database
from kimo_assets.defs.assets.agent_payloads import AGENT_PAYLOADS, agent_metadata
from kimo_assets.defs.build import build_defs
from kimo_assets.quality.payload_check import PAYLOADS_ARE_WHOLE, in_words
from kimo_assets.sync.inspection.payload_size import record_weights, weights_after
from kimo_assets.sync.inspection.verify import all_manifests, verify
from kimo_assets.sync.store.store import Store
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.sync.stores import HandStore


@pytest.fixture
def hand(tmp_path: Path) -> HandStore:
    """Agents A0 to A11, each with more customers than the one before; u1 is a user of A1."""
    hand = HandStore(tmp_path / "store")
    for number in range(12):
        rows = [f"C{number}-{n}=name {n}" for n in range(100 * number + 1)]
        hand.write(f"A{number}", 1, Account=[hand.bucket(hand.base(1, *rows))], Zone=[])
    hand.write("A1", 1, user="u1", Account=[])
    return hand


@pytest.fixture
def ledger(own_database: Database) -> Any:
    with own_database.connect() as connection:
        yield connection


def test_the_metadata_are_figures_to_plot_a_table_and_a_picture(
    hand: HandStore, ledger: Connection
) -> None:
    for load in (1, 2):
        ledger.execute("INSERT INTO ops.load (title) VALUES ('import')")
        record_weights(ledger, load, hand.weights(load))
    weights = weights_after(ledger, 2)
    sizes = {weight.path: weight.bytes for weight in weights}
    found = agent_metadata(ledger, hand.store, weights)
    assert (found["agents"], found["users"], found["bytes this load brings"]) == (12, 1, 0)
    assert found["bytes"] == sum(sizes.values())
    assert found["bytes of the biggest agent"] == found["bytes A11"] == sizes["agents/A11.json.zst"]
    assert [name for name in found if name.startswith("bytes A")] == [
        f"bytes A{n}" for n in range(11, 1, -1)
    ]
    assert (
        found["biggest agents"].value.splitlines()[2]
        == f"| A11 | 1101 | {sizes['agents/A11.json.zst']} | 0 | Account |"
    )
    drawn = ElementTree.fromstring(_picture(found["bytes over loads"].value))
    lines = [
        line.get("points", "").split()
        for line in drawn.iter("{http://www.w3.org/2000/svg}polyline")
    ]
    assert [len(points) for points in lines] == [2] * 10


def _picture(markdown: str) -> bytes:
    return b64decode(markdown.partition("base64,")[2].removesuffix(")"), validate=True)


def test_the_check_says_in_one_sentence_what_is_damaged_and_what_to_do(hand: HandStore) -> None:
    names = all_manifests(hand.store)
    assert (
        in_words(verify(hand.store, names)) == "13 manifests and 12 of their 12 objects are whole."
    )
    for file in sorted((hand.folder / "objects").rglob("*.zst"))[:2]:
        file.unlink()
    said = in_words(verify(hand.store, names))
    assert said.startswith("objects/")
    assert said.endswith(". Run step 3 again: it writes what is missing. And 1 more.")


# --- in runs
# --------------------------------------------------------------------------------------------------


def test_every_step_3_records_the_agents_and_a_check_whichever_door_it_came_through(
    company: Company,
) -> None:
    for options in (
        {},
        {"steps": [3]},
        {"entities": ["Zone"]},
        {"entities": ["Zone"], "steps": [3]},
    ):
        report = company.launch(**options)
        assert report.success
        assert (_agents(company)["agents"], _agents_run(company)) == (2, report.run_id)
        evaluation = _evaluation(company)
        assert (evaluation.passed, _evaluated_in(company)) == (
            True,
            report.run_id,
        ), evaluation.description
    assert len(_materializations(company)) == 4
    company.launch(steps=[1, 2])
    assert len(_materializations(company)) == 4


def test_a_damaged_object_fails_the_check_not_the_run_and_the_next_step_3_mends_it(
    company: Company,
) -> None:
    company.launch()
    victim = next((company.store / "objects").rglob("*.zst"))
    victim.write_bytes(b"x")
    defs = build_defs(company.config, database=company.database)
    with company.instance() as instance:
        result = (
            defs.resolve_implicit_global_asset_job_def()
            .get_subset(asset_check_selection={_check_key()}, asset_selection=set())
            .execute_in_process(instance=instance, resources=defs.resources)
        )
    assert result.success
    evaluation = _evaluation(company)
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert evaluation.metadata["damages"].value == 1
    assert f"{victim.name}: the object has 1 bytes instead of" in evaluation.description
    assert "Run step 3 again: it writes what is missing." in evaluation.description
    assert company.value("SELECT count(*) FROM ops.load") == 1
    company.launch(steps=[3])
    assert _evaluation(company).passed


def test_the_partitions_show_what_was_written_and_what_was_reused(company: Company) -> None:
    company.launch()
    first = company.metadata("sync_payloads", "Account")
    company.launch(steps=[3])
    second = company.metadata("sync_payloads", "Account")
    assert (first["objects_reused"], first["objects_written"]) == (0, first["objects"])
    assert (second["objects_reused"], second["objects_written"]) == (second["objects"], 0)


def test_the_check_takes_less_than_a_second(company: Company) -> None:
    company.launch()
    started = time.monotonic()
    verify(_store(company), all_manifests(_store(company)))
    assert time.monotonic() - started < 1


def _store(company: Company) -> Store:
    return Store(company.config.sync_store)


def _check_key() -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey("sync_payloads"), PAYLOADS_ARE_WHOLE.name)


def _evaluation(company: Company) -> Any:
    return _record(company).event.dagster_event.asset_check_evaluation_data


def _evaluated_in(company: Company) -> str:
    return str(_record(company).run_id)


def _record(company: Company) -> Any:
    with company.instance() as instance:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(
            _check_key(), limit=1
        )
    return record


def _materializations(company: Company) -> Any:
    with company.instance() as instance:
        return instance.fetch_materializations(dg.AssetKey(AGENT_PAYLOADS), limit=20).records


def _agents(company: Company) -> dict[str, Any]:
    metadata = _materializations(company)[0].asset_materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def _agents_run(company: Company) -> str:
    return str(_materializations(company)[0].run_id)
