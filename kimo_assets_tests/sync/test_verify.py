"""Damage that `kimo sync verify` and the check in the UI must find, one kind after another."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard

from kimo_assets.sync.inspection.payload_size import PastWeight
from kimo_assets.sync.inspection.verify import Damage, all_manifests, count_rows, sample, verify
from kimo_assets.sync.store.store import object_path, pack
from kimo_assets.sync.store.stored_manifests import path_of
from kimo_assets_tests.sync.stores import HandStore, Listed

AGAIN = "run step 3 again: it writes what is missing"
DELETE = f"delete that file, then {AGAIN}"


@pytest.fixture
def hand(tmp_path: Path) -> HandStore:
    """Two agents share a bucket. A1 has another one, with changes before and after its base."""
    hand = HandStore(tmp_path / "store")
    shared = hand.bucket(hand.base(1, "C1", "C2"))
    below, above = (
        hand.change(2, "C3", "C3 C4", put="C4"),
        hand.change(4, "C3 C4", "C4", removed="C3"),
    )
    own = hand.bucket(hand.base(3, "C3", "C4"), below, above, rows=1)
    hand.write("A1", 4, Account=[shared, own], Zone=[])
    hand.write("A2", 4, Account=[shared], Zone=[])
    hand.write("A2", 4, user="u2", Account=[shared], Zone=[])
    return hand


def bucket_of(hand: HandStore, agent: str, number: int = 0) -> Listed:
    bucket: Listed = hand.manifests[path_of(agent)]["entities"]["Account"]["buckets"][number]
    return bucket


def damages(hand: HandStore) -> list[Damage]:
    return verify(hand.store, all_manifests(hand.store), agents=["A1", "A2"]).damages


def rewritten(hand: HandStore, agent: str) -> list[str]:
    """What is said of the agent's manifest after a test has changed it."""
    manifest = hand.manifests[path_of(agent)]
    hand.write(
        agent,
        manifest["load"],
        **{name: description["buckets"] for name, description in manifest["entities"].items()},
    )
    return [
        d.sentence.rpartition(": ")[2]
        for d in damages(hand)
        if (d.path, d.remedy) == (path_of(agent), DELETE)
    ]


def test_a_whole_store_is_whole(hand: HandStore) -> None:
    report = verify(hand.store, all_manifests(hand.store), agents=["A1", "A2"])
    assert report.is_whole
    assert (report.manifests, report.objects, report.objects_found) == (3, 4, 4)
    assert report.bytes == sum(
        file.stat().st_size for file in (hand.folder / "objects").rglob("*.zst")
    )


def _shared(hand: HandStore) -> tuple[str, Path]:
    path = object_path(bucket_of(hand, "A1")["base"]["objects"][0]["sha256"])
    return path, hand.folder / path


@pytest.mark.parametrize(
    ("harm", "sentence", "remedy"),
    [
        (lambda file: file.unlink(), "the object is not there", AGAIN),
        (lambda file: file.write_bytes(b"short"), r"the object has 5 bytes instead of \d+", AGAIN),
        (
            lambda file: file.write_bytes(file.read_bytes()[::-1]),
            "its content has another SHA-256",
            DELETE,
        ),
    ],
)
def test_a_damaged_object_is_named_with_all_whom_it_concerns(
    hand: HandStore, harm: Callable[[Path], object], sentence: str, remedy: str
) -> None:
    path, file = _shared(hand)
    harm(file)
    (damage,) = damages(hand)
    assert damage.path == path
    assert damage.remedy == remedy
    assert damage.manifests == ["agents/A1.json.zst", "agents/A2.json.zst", "users/u2.json.zst"]
    assert re.search(sentence, damage.sentence)


def test_an_object_with_other_rows_than_promised_is_found(hand: HandStore) -> None:
    bucket_of(hand, "A1", 1)["changes"][1]["rows"] = 7
    manifest = hand.manifests[path_of("A1")]
    hand.write("A1", 4, Account=manifest["entities"]["Account"]["buckets"])
    (damage,) = damages(hand)
    assert damage.sentence == "the object has 1 rows, its manifest says 7"
    assert damage.manifests == ["agents/A1.json.zst"]


def test_what_is_no_zstd_under_its_right_name_is_found(hand: HandStore) -> None:
    data = b"not compressed at all"
    listed = {"sha256": hashlib.sha256(data).hexdigest(), "rows": 1, "bytes": len(data)}
    hand.store.replace(object_path(listed["sha256"]), data)
    hand.write("A1", 4, Account=[hand.bucket({"load": 1, "state": "s", "objects": [listed]})])
    (damage,) = damages(hand)
    assert damage.sentence.startswith("the object cannot be decompressed")


def test_an_agent_without_a_manifest_is_found(hand: HandStore) -> None:
    report = verify(hand.store, [], agents=["A1", "A2", "Ä 3"])
    (damage,) = report.damages
    assert (damage.sentence, damage.remedy, damage.manifests) == (
        "agent Ä 3 has no manifest",
        AGAIN,
        [path_of("Ä 3")],
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"format": "kimo-sync", "version": 99}', "is kimo-sync version 99"),
    ],
)
def test_a_manifest_that_is_none_is_found(hand: HandStore, text: bytes, sentence: str) -> None:
    hand.store.replace("agents/A2.json.zst", pack(text))
    (damage,) = damages(hand)
    assert sentence in damage.sentence
    assert (damage.path, damage.remedy) == ("agents/A2.json.zst", DELETE)


def test_a_manifest_in_anothers_place_is_found(hand: HandStore) -> None:
    hand.store.replace("agents/A2.json.zst", hand.store.read_or_none("agents/A1.json.zst") or b"")
    (damage,) = damages(hand)
    assert "agents/A2.json.zst is the manifest of 'A1'" in damage.sentence


def test_a_manifest_that_vanished_since_it_was_listed_is_found(hand: HandStore) -> None:
    (damage,) = verify(hand.store, ["agents/A9.json.zst"]).damages
    assert damage.sentence == "the manifest is not there"


def test_a_manifest_of_another_store_is_found(hand: HandStore) -> None:
    hand.store.remove("store.json")
    hand.store.claim("f" * 32)
    assert {damage.remedy for damage in damages(hand)} == {DELETE}
    assert all("not of this one" in damage.sentence for damage in damages(hand))


def test_a_chain_that_does_not_lead_to_its_state_is_found(hand: HandStore) -> None:
    bucket_of(hand, "A1", 1)["state"] = "f00"
    assert rewritten(hand, "A1") == ["base and changes do not lead to the bucket's state"]


def test_a_chain_that_breaks_at_its_base_is_found(hand: HandStore) -> None:
    bucket_of(hand, "A1", 1)["base"]["state"] = "ba5e"
    assert rewritten(hand, "A1") == ["the change of load 4 does not start at the base"]


def test_a_chain_that_breaks_between_two_changes_is_found(hand: HandStore) -> None:
    bucket_of(hand, "A1", 1)["changes"][0]["state"] = "f00"
    assert rewritten(hand, "A1") == ["the change of load 4 does not follow that of load 2"]


def test_changes_that_do_not_ascend_are_found(hand: HandStore) -> None:
    bucket_of(hand, "A1", 1)["changes"].reverse()
    assert rewritten(hand, "A1") == ["the change of load 2 does not follow that of load 4"]


def test_a_count_that_the_base_contradicts_is_found(hand: HandStore) -> None:
    bucket_of(hand, "A1")["rows"] = 9
    assert rewritten(hand, "A1") == ["it declares 9 rows, its base has 2"]


def test_a_bucket_that_is_listed_twice_is_found(hand: HandStore) -> None:
    hand.manifests[path_of("A1")]["entities"]["Zone"]["buckets"].append(bucket_of(hand, "A1"))
    assert rewritten(hand, "A1") == ["bucket 1 is listed twice"]


def test_the_settings_objects_are_looked_at_too(hand: HandStore) -> None:
    listed = hand.object("Key,Value\na,1\n")
    table = {"key": ["Key"], "columns": {"Key": "text", "Value": "text"}, "objects": [listed]}
    hand.store.replace("settings.json", orjson.dumps({"entities": {"Setting": table}}))
    assert damages(hand) == []
    hand.store.remove(object_path(listed["sha256"]))
    (damage,) = damages(hand)
    assert (damage.sentence, damage.concerns) == ("the object is not there", ["everybody"])
    hand.store.replace("settings.json", b"{}")
    (damage,) = damages(hand)
    assert (damage.sentence, damage.remedy) == ("the settings do not match the format", DELETE)


# --- how much is read
# ---------------------------------------------------------------------------------------------


def test_a_bounded_look_reads_no_more_and_still_sees_what_is_missing(hand: HandStore) -> None:
    report = verify(hand.store, all_manifests(hand.store), max_bytes=60)
    assert report.is_whole
    assert 0 < report.objects < report.objects_found == 4
    assert report.bytes <= 60
    _shared(hand)[1].unlink()
    assert len(verify(hand.store, all_manifests(hand.store), max_bytes=0).damages) == 1


def test_every_object_is_read_in_the_end_as_loads_go_by(hand: HandStore) -> None:
    _, file = _shared(hand)
    file.write_bytes(file.read_bytes()[::-1])
    names = all_manifests(hand.store)
    results = [verify(hand.store, names, max_bytes=60, seed=load).is_whole for load in range(20)]
    assert {True, False} == set(results)


def test_a_sample_is_the_heaviest_and_some_others_and_the_same_for_the_same_load() -> None:
    names = [f"agents/A{n:02}.json" for n in range(40)]
    weights = [PastWeight(7, path, 1, 1, 1) for path in ("agents/gone.json.zst", *reversed(names))]
    chosen = sample(names, weights, 7)
    assert chosen[:3] == names[:-4:-1]
    assert len(chosen) == len(set(chosen)) == 8
    assert sample(names, weights, 7) == chosen != sample(names, weights, 8)
    assert sorted(sample(names[:2], [], 7)) == names[:2]


def test_progress_is_told_object_after_object(hand: HandStore) -> None:
    calls: list[tuple[int, int]] = []
    verify(
        hand.store,
        all_manifests(hand.store),
        on_object=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Id,Name\n", 0),
        ("Id,Name\n1,a\n2,b\n", 2),
        ('Id,Name\n1,"two\nlines"\n2,""\n3,"said ""yes\n"""\n', 3),
        ("Id,Name\n" + '1,"' + "long\n" * 700_000 + '"\n2,b\n', 2),
    ],
    ids=["none", "plain", "quoted", "longer than a piece"],
)
def test_rows_are_counted_by_their_ends_outside_quotes(text: str, rows: int) -> None:
    half = len(text) // 2
    frames = zstandard.compress(text[:half].encode()) + zstandard.compress(text[half:].encode())
    assert count_rows(zstandard.compress(text.encode())) == rows
    assert count_rows(frames) == rows
