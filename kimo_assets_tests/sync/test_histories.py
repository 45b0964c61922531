"""Random histories: after every event each agent can fetch, and gets, exactly its rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kimo_assets.database.installation import installation
from kimo_assets.database.server import Database
from kimo_assets.sync.publishing import buckets
from kimo_assets_tests.conftest import EMPTY_AGAIN
from kimo_assets_tests.support.company import World
from kimo_assets_tests.sync.company import (
    AGENTS,
    TABLES,
    WORDY,
    edits,
    random_company,
    random_edits,
)
from kimo_assets_tests.sync.history import Event, History

# How often each happens, the most ordinary first.
HAPPENINGS = {
    "import": 5,
    "import with linked": 2,
    "import only": 4,
    "load": 2,
    "publish": 4,
    "undo": 2,
    "store emptied": 1,
    "objects deleted": 1,
    "killed in step 3": 1,
    "killed before the manifests": 1,
    "killed among the manifests": 1,
    "from scratch": 1,
    "columns change": 1,
}
RESTRICTED = {
    "import with linked",
    "import only",
    "load",
    "publish",
    "killed in step 3",
    "columns change",
}


# The engine's numbers of what is cheaper, so small that small companies meet every way of
# publishing. What agents have must not depend on them; killed runs go by the engine's own.
NUMBERS = st.fixed_dictionaries(
    {
        "_TINY_ROWS": st.sampled_from([0, 0, 3]),
        "_FEW_PROFILES": st.sampled_from([0, 2, 8]),
        "_SHARED_ROWS": st.sampled_from([1, 4]),
        "_CHANGED_SHARE": st.sampled_from([100.0, 2.0, 0.5]),
        "_MAX_CHANGES": st.sampled_from([2, 4, 24]),
        "_OLD_CHANGES_SHARE": st.sampled_from([100.0, 5.0, 0.5]),
    }
)
SMALL = {
    "_TINY_ROWS": 0,
    "_FEW_PROFILES": 0,
    "_SHARED_ROWS": 1,
    "_CHANGED_SHARE": 100.0,
    "_MAX_CHANGES": 2,
    "_OLD_CHANGES_SHARE": 100.0,
}


def events() -> st.SearchStrategy[Event]:
    def of(kind: str) -> st.SearchStrategy[Event]:
        names = list(WORDY if kind == "columns change" else TABLES)
        some = st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True).map(tuple)
        return st.builds(
            Event,
            st.just(kind),
            some if kind in RESTRICTED else st.just(()),
            st.lists(edits(), min_size=2, max_size=8).map(tuple),
            st.frozensets(st.sampled_from(AGENTS)),
        )

    return st.sampled_from(
        [kind for kind, times in HAPPENINGS.items() for _ in range(times)]
    ).flatmap(of)


@pytest.fixture
def databases(new_database: Callable[[], Database]) -> tuple[Database, Database]:
    return new_database(), new_database()


@contextmanager
def numbers_of_the_engine(numbers: dict[str, float]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in numbers.items():
            patch.setattr(buckets, name, value)
        yield


def start(folder: Path, databases: tuple[Database, Database], seed: int) -> History:
    with databases[0].connect() as connection:
        connection.execute(EMPTY_AGAIN)
        # A database has its name before anything is published into its store.
        installation(connection)
    return History(World(folder, databases[0]), databases[1], random_company(seed))


def play_histories(
    folder: Path,
    databases: tuple[Database, Database],
    examples: int,
    length: int,
    phases: Sequence[Phase],
) -> set[str]:
    """Plays random histories. Returns: the kinds of events in them."""
    happened: set[str] = set()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(
        seed=st.integers(0, 1_000_000),
        numbers=NUMBERS,
        events=st.lists(events(), min_size=length, max_size=length + 2),
    )
    def play(seed: int, numbers: dict[str, float], events: list[Event]) -> None:
        history = start(folder, databases, seed)
        with numbers_of_the_engine(numbers):
            for event in [*events, Event("from scratch", tablets=frozenset(AGENTS))]:
                history.play(event)
                happened.add(event.kind)

    play()
    return happened


def test_every_agent_has_exactly_its_rows_after_any_history(
    tmp_path: Path, databases: tuple[Database, Database]
) -> None:
    happened = play_histories(tmp_path, databases, examples=6, length=6, phases=[Phase.generate])
    # One more history has what chance has left out, and many changes of the same tables.
    kinds = (
        ["import"] * 6 + [kind for kind in HAPPENINGS if kind not in happened] + ["from scratch"]
    )
    history = start(tmp_path, databases, seed=26)
    with numbers_of_the_engine(SMALL):
        for n, kind in enumerate(kinds):
            history.play(
                Event(
                    kind,
                    ("Account", "Contact", "Item"),
                    random_edits(n, 8),
                    frozenset(AGENTS[n % 2 :: 2]),
                )
            )
    assert history.met == {
        "a change",
        "a shared bucket",
        "a base after changes",
        "changes from before the base",
    }


@pytest.mark.stress
def test_every_agent_has_exactly_its_rows_after_many_long_histories(
    tmp_path: Path, databases: tuple[Database, Database]
) -> None:
    """A failure is shrunk, to the fewest and simplest events that still show it."""
    play_histories(
        tmp_path, databases, examples=150, length=12, phases=[Phase.generate, Phase.shrink]
    )
