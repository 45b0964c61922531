"""A time limit ends a statement on each dialect, and is gone with its block."""

import pytest
from sqlalchemy import Integer, text

from kimo_assets.errors import PermanentSourceError
from kimo_assets.sources.connection import source_errors
from kimo_assets.sources.limits import TimeLimitError, time_limit
from kimo_assets_tests.support.integrations import Integration


def seconds(integration: Integration, duration: float) -> str:
    """A statement that takes so long."""
    match integration.url.partition(":")[0]:
        case "postgresql":
            return f"SELECT pg_sleep({duration})"
        case "sqlite":
            # As many steps as a machine of today makes in about that time, at least.
            steps = int(duration * 20_000_000)
            return (
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps})"
                " SELECT max(i) FROM n"
            )
        case _:
            return f"SELECT count(*) FROM seq_1_to_1000 WHERE sleep({duration / 1000}) = 0"


def test_a_statement_that_takes_longer_is_ended_and_the_connection_is_as_before(
    integration: Integration,
) -> None:
    integration.table("t", {"a": Integer})
    engine = integration.source()
    with engine.connect() as connection:
        with (
            pytest.raises(TimeLimitError, match=r"longer than 0\.3 s"),
            time_limit(connection, 0.3),
            source_errors("erp", engine),
        ):
            connection.execute(text(seconds(integration, 30))).all()
        connection.rollback()
        assert connection.execute(text(seconds(integration, 0.5))).all()
    engine.dispose()


def test_another_error_within_the_time_stays_what_it_is(integration: Integration) -> None:
    integration.table("t", {"a": Integer})
    engine = integration.source()
    with (
        engine.connect() as connection,
        pytest.raises(PermanentSourceError) as raised,
        time_limit(connection, 30),
        source_errors("erp", engine),
    ):
        connection.execute(text("SELECT nothing FROM t"))
    assert not isinstance(raised.value, TimeLimitError)
    engine.dispose()
