"""A run that is killed at any moment loses at most the answer that was on its way, and never
exceeds the budget.
"""

import signal
import threading

import pytest

from kimo_assets_tests.geocoding.conftest import Customers
from kimo_assets_tests.geocoding.crash_process import geocode, geocode_and_die
from kimo_assets_tests.support.crash_semaphore import forkserver

# Each address has four moments: before and after its call is counted, before and after its answer
# is kept.
_ADDRESSES = 2
_MOMENTS = 4 * _ADDRESSES


@pytest.fixture
def customers(customers: Customers) -> Customers:
    for number in range(_ADDRESSES):
        customers.add(f"C{number}", f"Via Roma {number}", "60121", "Ancona")
    return customers


def kept(customers: Customers) -> int:
    return int(customers.rows("SELECT count(*) FROM ops.geocode")[0][0])


def counted(customers: Customers) -> int:
    return int(customers.rows("SELECT coalesce(sum(calls), 0) FROM ops.geocode_call")[0][0])


@pytest.mark.parametrize("moment", range(1, _MOMENTS + 1))
def test_a_killed_run_loses_at_most_one_answer(customers: Customers, moment: int) -> None:
    killed = forkserver().Process(
        target=geocode_and_die, args=(customers.database.dsn, customers.config, moment)
    )
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    assert kept(customers) == moment // 4
    assert 0 <= customers.google.calls - kept(customers) <= 1
    assert customers.google.calls <= counted(customers) <= customers.google.calls + 1
    report = customers.run()
    assert report.counts["found"] == _ADDRESSES
    assert customers.google.calls <= _ADDRESSES + 1


def test_runs_that_are_killed_again_and_again_keep_to_the_budget(customers: Customers) -> None:
    customers.settings["daily_budget"] = 2
    for _ in range(3):
        # Before the first answer is kept, so that every run would ask again.
        killed = forkserver().Process(
            target=geocode_and_die, args=(customers.database.dsn, customers.config, 3)
        )
        killed.start()
        killed.join(60)
    assert customers.google.calls == 2
    assert customers.run().counts["asked"] == 0
    assert customers.google.calls == 2


def test_killed_while_the_answer_is_on_its_way(customers: Customers) -> None:
    arrived = threading.Event()
    customers.google.on_call(
        lambda asked: arrived.set() if len(customers.google.asked) == 2 else None
    )
    customers.google.always_answer("Roma 1", "silent")
    killed = forkserver().Process(target=geocode, args=(customers.database.dsn, customers.config))
    killed.start()
    assert arrived.wait(60)
    killed.kill()
    killed.join(60)
    assert (kept(customers), customers.google.calls, counted(customers)) == (1, 2, 2)
