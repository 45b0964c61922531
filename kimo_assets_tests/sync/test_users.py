"""Users of the app: the agent's rows, but the availabilities of the user's own warehouse."""

from collections.abc import Sequence

from kimo_assets_tests.support.company import World
from kimo_assets_tests.sync import store_reading
from kimo_assets_tests.sync.company import TABLES, random_company
from kimo_assets_tests.sync.oracle import Oracle, Viewer
from kimo_assets_tests.sync.published import (
    Published,
    comparable,
    difference,
    live_rows,
    payload_columns,
)

# Users of one agent in two warehouses and without one, of another agent, of agents that are not
# there, of other types.
USERS = [
    ("anna", "1", "P", 1, False),
    ("bea", "1", "Q", 1, False),
    ("carlo", "1", None, 1, False),
    ("dora", "2", "P", 1, False),
    ("e.rossi@ditta", "3", "nowhere", 1, False),
    ("fabio", "?", "P", 1, False),
    ("gina", None, "P", 1, False),
    ("hugo", "2", "P", 1, True),
    ("ivo", "2", None, 0, False),
]
User = tuple[str, str | None, str | None, int, bool]


def import_with(world: World, seed: int, users: Sequence[User]) -> None:
    """A random world, in which the filter by warehouse is on, and these users."""
    tables = {name: list(rows.values()) for name, rows in random_company(seed).items()}
    world.erp(
        **tables | {"BusinessRuleFromErp": [], "SalesAgent": [{"Id": code} for code in "123"]}
    )
    with world.database.connect() as connection:
        connection.execute('DELETE FROM kimo."User"')
        for user in users:
            connection.execute(
                'INSERT INTO kimo."User" ("Id", "UserName", "SalesAgentId", "WarehouseId",'
                ' "UserTypeId", "Archived") VALUES (%s, %s, %s, %s, %s, %s)',
                [user[0], *user],
            )
    world.done(allow_shrink=True)


def viewers(users: Sequence[User]) -> list[Viewer]:
    return [
        Viewer(agent, name, house or "")
        for name, agent, house, kind, gone in users
        if agent and kind == 1 and not gone
    ]


def assert_all_have_what_they_should(world: World, users: Sequence[User]) -> set[tuple[str, str]]:
    """Returns the (user, entity) whose rows are others than the agent's."""
    oracle, columns = Oracle(live_rows(world, list(TABLES)), viewers(users)), payload_columns(world)
    manifests = store_reading.manifests(world.store, "users")
    ours = {store_reading.file_of(viewer.user): viewer for viewer in oracle.everyone if viewer.user}
    assert manifests.keys() == ours.keys()
    others: set[tuple[str, str]] = set()
    for file, viewer in ours.items():
        assert (manifests[file]["agent"], manifests[file]["user"]["id"]) == (
            viewer.agent,
            viewer.user,
        )
        content = store_reading.rows_for_a_new_client(world.store, manifests[file])
        for name in TABLES:
            published = Published(name, oracle, columns[name])
            expected = published.view(viewer)
            tablets = {
                key: {
                    column: comparable(value, published.kinds[column])
                    for column, value in row.items()
                }
                for key, row in content[name].items()
            }
            assert tablets == expected, f"{viewer}, {name}: {difference(tablets, expected)}"
            others |= (
                {(viewer.user, name)} if expected != published.view(Viewer(viewer.agent)) else set()
            )
        for part in store_reading.listed_objects(manifests[file]):
            keys = {
                key for key in oracle.rows(part.entity) if viewer in oracle.seers(part.entity, key)
            }
            foreign = store_reading.read(world.store, part).rows.keys() - keys
            is_public = part.entity == "SalesAgent" and not part.is_private
            assert is_public or not foreign & oracle.rows(part.entity).keys(), (
                f"{viewer} can fetch {foreign} in {part}"
            )
    return others


def test_each_user_gets_what_the_oracle_says_whatever_was_published_before(world: World) -> None:
    differing: set[tuple[str, str]] = set()
    for seed in range(4):
        import_with(world, seed, USERS)
        differing |= assert_all_have_what_they_should(world, USERS)
    assert {entity for _, entity in differing} == {"ItemOfflineAvailability"}
    assert {user for user, _ in differing} >= {"anna", "bea", "e.rossi@ditta"}


def test_a_user_that_moves_to_another_warehouse_or_agent_or_leaves_is_followed(
    world: World,
) -> None:
    import_with(world, 1, USERS)
    moved: list[User] = [
        ("anna", "1", "Q", 1, False),
        ("bea", "1", None, 1, False),
        ("carlo", "2", "P", 1, False),
        ("dora", "2", "P", 1, True),
    ]
    import_with(world, 1, moved)
    assert_all_have_what_they_should(world, moved)
    import_with(world, 1, [])
    assert_all_have_what_they_should(world, [])
