"""The text of a kimo.yaml to be: whatever stands in a database's names and rows, YAML reads back
what was meant.
"""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from kimo_assets.setup.draft import Draft, DraftEntity, DraftMapping

# What a database's driver hands over: any text without surrogates; YAML knows no other control
# characters than these.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60
).filter(str.strip)


def entities(draft: Draft) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(draft.text())["entities"]
    return found


@given(table=TEXTS, column=TEXTS, note=TEXTS, remark=TEXTS)
def test_names_come_back_as_they_were_and_notes_stay_comments(
    table: str, column: str, note: str, remark: str
) -> None:
    mapping = DraftMapping(table=table.strip(), fields={"Id": column}, notes=[note])
    found = entities(Draft([note], entities=[DraftEntity("Zone", [mapping])], notes=[remark]))
    if "${" not in table + column:
        assert found == {"Zone": {"table": table.strip(), "fields": {"Id": column}}}


@given(query=TEXTS, lines=st.lists(TEXTS, max_size=4))
def test_a_query_comes_back_but_for_blanks_around_it_and_the_kind_of_line_breaks(
    query: str, lines: list[str]
) -> None:
    text = "\n".join([query, *lines])
    found = entities(Draft([], entities=[DraftEntity("Zone", [DraftMapping(query=text)])]))
    if "${" not in text:
        (mapping,) = found.values()
        came_back = mapping["query"]  # type: ignore[index]
        assert _plain(came_back) == _plain(text)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


@given(table=TEXTS, query=TEXTS, note=TEXTS, doubt=TEXTS)
def test_what_is_left_out_is_nothing_but_comments(
    table: str, query: str, note: str, doubt: str
) -> None:
    for mapping in (
        DraftMapping(table=table, notes=[note]),
        DraftMapping(query=f"{query}\n{query}", notes=[note]),
    ):
        draft = Draft([], entities=[DraftEntity("Zone", [mapping], doubt=doubt)])
        assert entities(draft) == {}
        assert draft.mapped == []


def test_several_sources_of_one_entity_are_a_list() -> None:
    parts = [DraftMapping(), DraftMapping("crm", query="SELECT 1\nAS Id", notes=["from the CRM"])]
    draft = Draft([], entities=[DraftEntity("Zone", parts)])
    assert entities(draft) == {
        "Zone": [{"table": "Zone"}, {"source": "crm", "query": "SELECT 1\nAS Id\n"}]
    }
    assert "    # from the CRM\n    - source: crm\n" in draft.text()
