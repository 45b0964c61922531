"""kimo init: from an integration database to a kimo.yaml that imports, by the commands alone."""

import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import Boolean, Date, Integer, Numeric, String

from kimo_assets.cli import main
from kimo_assets.config import load_config
from kimo_assets.config.schema import EDITOR_LINE, SCHEMA_FILE, schema_text
from kimo_assets_tests.support.integrations import Command, Integration


def fill(integration: Integration) -> None:
    """A small company's tables, named as integrators name them."""
    code = String(20)
    integration.table(
        "SalesAgent",
        {"Id": code, "Description": String(60), "PIVA": String(11)},
        [{"Id": "A1", "Description": "Anna"}],
    )
    integration.table(
        "ACCOUNT",
        {
            "ID": code,
            "NAME": String(80),
            "ADDRESS_CITY": String(40),
            "CURRENCY_ID": code,
            "PAYMENT_METHOD_ID": code,
        },
        [
            {"ID": f"C{n}", "NAME": f"Bar {n}", "ADDRESS_CITY": "Milano", "CURRENCY_ID": "EUR"}
            for n in range(7)
        ],
    )
    integration.table(
        "KIMO_SALES_AGENT_PER_ACCOUNT",
        {"SALESAGENTID": code, "ACCOUNTID": code},
        [{"SALESAGENTID": "A1", "ACCOUNTID": f"C{n}"} for n in range(7)],
    )
    integration.table(
        "Currency", {"Id": code, "Description": String(50)}, [{"Id": "EUR", "Description": "Euro"}]
    )
    integration.table("CLIENTI_WEB", {"COD": code})
    integration.table("ACCOUNT_OLD", {"ID": code, "NAME": code})
    integration.execute("CREATE VIEW zone AS SELECT 'N' AS Id, 'Nord' AS Description")


def test_a_database_whose_tables_carry_the_names_imports_by_the_commands_alone(
    integration: Integration, command: Command
) -> None:
    fill(integration)
    said = command.run("init", integration.url).stdout
    assert "5 entities mapped, from 7 tables and views" in said
    assert "PaymentMethod (by Account.PaymentMethodId)" in said
    config = load_config(command.file)
    assert set(config.entities) == {
        "SalesAgent",
        "Account",
        "SalesAgentPerAccount",
        "Currency",
        "Zone",
    }
    report = command.imported()
    assert report["success"] is True
    assert report["steps"]["1"]["Account"]["staged"] == 7
    assert report["steps"]["3"]["Account"]["rows"] == 7
    findings = command.json("check")
    assert [finding for finding in findings if finding["level"] == "error"] == []


def test_editors_find_the_schema_beside_the_file(sqlite: Integration, command: Command) -> None:
    fill(sqlite)
    command.run("init", sqlite.url, "--to", str(command.folder / "own" / "kimo.yaml"))
    own = command.folder / "own"
    assert (own / "kimo.yaml").read_text(encoding="utf-8").startswith(f"{EDITOR_LINE}\n")
    assert (own / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()


def test_the_file_says_what_was_found_and_what_was_not(
    integration: Integration, command: Command
) -> None:
    fill(integration)
    command.run("init", integration.url)
    parsed = yaml.safe_load(command.text)["entities"]
    assert parsed["Currency"] == {}
    renamed = {
        "AddressCity": "ADDRESS_CITY",
        "CurrencyId": "CURRENCY_ID",
        "PaymentMethodId": "PAYMENT_METHOD_ID",
    }
    assert parsed["Account"] == {"fields": renamed}
    assert parsed["SalesAgentPerAccount"] == "KIMO_SALES_AGENT_PER_ACCOUNT"
    assert "# 7 rows" in command.text
    assert "# PaymentMethodId points to PaymentMethod, of which there is no table" in command.text
    assert "# no field takes: PIVA" in command.text
    assert "# not this, though the name is alike: ACCOUNT_OLD" in command.text.replace(
        "account_old", "ACCOUNT_OLD"
    )
    assert "# No entity's name: CLIENTI_WEB" in command.text
    assert "--- Accounts ---" in command.text
    assert max(map(len, command.text.splitlines())) <= 125 + len(integration.url)


def test_init_ends_with_what_to_do_next(sqlite: Integration, command: Command) -> None:
    fill(sqlite)
    said = command.run("init", sqlite.url).stdout
    for name in ("check", "plan", "import"):
        assert f"kimo --config {command.file} {name}" in said


def test_the_file_goes_where_the_other_commands_look_for_it(
    sqlite: Integration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(sqlite)
    monkeypatch.setenv("KIMO_CONFIG", str(tmp_path / "named.yaml"))
    said = CliRunner().invoke(main, ["init", sqlite.url])
    assert "  kimo check " in said.stdout
    assert set(load_config().entities) >= {"Account", "Zone"}


def test_json_tells_the_same(sqlite: Integration, command: Command) -> None:
    fill(sqlite)
    found = command.json("init", sqlite.url)
    assert found["file"] == str(command.file)
    assert (found["tables"], found["set"]) == (7, None)
    assert sorted(found["mapped"]) == [
        "Account",
        "Currency",
        "SalesAgent",
        "SalesAgentPerAccount",
        "Zone",
    ]
    assert found["dangling"] == {"PaymentMethod": ["Account.PaymentMethodId"]}


# --- what is not certain
# --------------------------------------------------------------------------------------


def test_what_is_not_certain_is_a_comment_with_its_reason(
    sqlite: Integration, command: Command
) -> None:
    sqlite.table("Zone", {"Id": Integer})
    sqlite.table("KIMO_CURRENCY", {"Id": String(3)})
    sqlite.table("V_CURRENCY", {"Id": String(3)})
    sqlite.table("Accounts", {"Id": String(3), "Name": String(9), "Phone": String(9)})
    sqlite.table("ItemUom", {"LABEL": String(9)})
    sqlite.table("SalesAgentPerAccount", {"AGENTE": String(9), "CLIENTE": String(9)})
    sqlite.table("Document", {"Id": String(9)})
    left_out = command.json("init", sqlite.url)["left_out"]
    assert set(yaml.safe_load(command.text)["entities"]) == {"Zone"}
    assert left_out == {
        "Currency": "KIMO_CURRENCY and V_CURRENCY carry its name alike; take in the right one",
        "Account": "table Accounts looks like it, but its name is not certain",
        "ItemUom": left_out["ItemUom"],
        "SalesAgentPerAccount": left_out["SalesAgentPerAccount"],
        "Document": "Kimo only exports it to the ERP, it is not imported",
    }
    assert "its key is not there: neither Id nor any of" in left_out["ItemUom"]
    assert "  # Account: Accounts\n" in command.text
    # A person who takes the comment away has a mapping that loads.
    command.file.write_text(
        command.text.replace("  # Account: Accounts\n", "  Account: Accounts\n"), encoding="utf-8"
    )
    assert load_config(command.file).entities["Account"][0].table == "Accounts"


def test_a_view_that_cannot_be_read_is_a_comment_and_the_others_are_mapped(
    integration: Integration, command: Command
) -> None:
    integration.table("Zone", {"Id": String(9), "Description": String(9)})
    integration.table("base", {"Id": String(9)}, [{"Id": "1"}])
    if integration.url.startswith("postgresql"):  # where no table goes while a view needs it
        integration.execute(
            'CREATE VIEW "Currency" AS SELECT "Id" FROM base WHERE 1 / (length("Id") - 1) > 0'
        )
    else:
        integration.execute("CREATE VIEW Currency AS SELECT Id FROM base", "DROP TABLE base")
    found = command.json("init", integration.url)
    assert found["mapped"] == ["Zone"]
    assert "cannot be" in found["left_out"]["Currency"]


def test_only_the_schema_that_carries_the_names_is_looked_into_when_the_default_one_does_not(
    postgresql: Integration, command: Command
) -> None:
    postgresql.execute(
        "CREATE SCHEMA kimo_if", "CREATE SCHEMA other", "CREATE TABLE clienti (x int)"
    )
    postgresql.table("ZONE", {"Id": String(9)}, [{"Id": "N"}], schema="kimo_if")
    postgresql.table("Currency", {"Id": String(9)}, [{"Id": "EUR"}], schema="kimo_if")
    postgresql.table("Zone", {"Id": String(9)}, schema="other")
    found = command.json("init", postgresql.url)
    assert (found["schema"], sorted(found["mapped"])) == ("kimo_if", ["Currency", "Zone"])
    assert "Schema other has 1 table" in command.text
    assert load_config(command.file).entities["Zone"][0].table == "kimo_if.ZONE"
    assert command.imported()["steps"]["1"]["Zone"]["staged"] == 1


def test_views_that_keep_their_rows_and_tables_of_another_database_are_tables_too(
    postgresql: Integration, command: Command
) -> None:
    postgresql.execute(
        'CREATE MATERIALIZED VIEW "Zone" AS SELECT \'N\' AS "Id"',
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        'CREATE FOREIGN TABLE "Currency" ("Id" text) SERVER elsewhere',
    )
    found = command.json("init", postgresql.url)
    assert found["mapped"] == ["Zone"]
    assert "has no handler" in found["left_out"]["Currency"]  # it was found, and asked
    assert command.imported()["steps"]["1"]["Zone"]["staged"] == 1


def test_a_schema_can_be_named(postgresql: Integration, command: Command) -> None:
    postgresql.execute("CREATE SCHEMA other")
    postgresql.table("Zone", {"Id": String(9)})
    postgresql.table("Currency", {"Id": String(9)}, schema="other")
    assert command.json("init", postgresql.url, "--schema", "other")["mapped"] == ["Currency"]


def test_the_machines_own_tables_are_named_as_such(sqlite: Integration, command: Command) -> None:
    sqlite.table("Zone", {"Id": Integer})
    sqlite.table("IMPORTFROMERPSEMAPHORE", {"Status": Integer})
    sqlite.table("IntegratorMapping", {"KimoEntity": String(9)})
    command.run("init", sqlite.url)
    assert "# IMPORTFROMERPSEMAPHORE: the ERP and the import take turns by it." in command.text
    assert "`kimo mapping pull` reads it" in command.text


def test_odd_names_of_tables_and_columns_survive_the_file(
    integration: Integration, command: Command
) -> None:
    integration.table(
        "kimo-zone",
        {"Id": String(9), "Descri_ption": String(9), "però: #1": String(9), "x\ty": Date},
    )
    integration.table("v currency", {"_Id": String(9), "on": Boolean, "null": Numeric})
    command.run("init", integration.url)
    entities = load_config(command.file).entities
    assert entities["Zone"][0].table == "kimo-zone"
    assert entities["Zone"][0].fields == {"Description": "Descri_ption"}
    assert entities["Currency"][0].fields == {"Id": "_Id"}
    assert "no field takes: però: #1, x    y" in command.text
    assert command.imported()["success"] is True


# --- what is refused
# --------------------------------------------------------------------------------------------


def test_a_database_without_any_entitys_name_writes_nothing_and_lists_what_it_has(
    sqlite: Integration, command: Command
) -> None:
    sqlite.table("CLIENTI", {"COD": Integer})
    sqlite.table("ARTICOLI", {"COD": Integer})
    said = command.run("init", sqlite.url, code=1)
    assert "none of the 2 tables and views" in said.stderr
    assert "It has: ARTICOLI, CLIENTI." in said.stderr
    assert "docs/mapping.md" in said.stderr
    assert not command.file.exists()


def test_an_empty_database_says_so(postgresql: Integration, command: Command) -> None:
    assert "has no tables and no views" in command.run("init", postgresql.url, code=1).stderr


def test_a_file_that_is_there_is_not_written_over(sqlite: Integration, command: Command) -> None:
    fill(sqlite)
    command.file.write_text("mine", encoding="utf-8")
    assert "is there already" in command.run("init", sqlite.url, code=2).stderr
    assert command.text == "mine"
    command.run("init", sqlite.url, "--force")
    assert "entities:" in command.text


def test_a_database_that_is_not_there_writes_nothing(command: Command, tmp_path: Path) -> None:
    assert (
        "unable to open" in command.run("init", f"sqlite:///{tmp_path}/none.sqlite", code=1).stderr
    )
    assert not command.file.exists()
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("url", ["not a url s3cret", "s3cret@host/db"])
def test_what_is_no_address_is_told_without_repeating_it(command: Command, url: str) -> None:
    said = command.run("init", url, code=2).output
    assert "no database URL" in said
    assert "s3cret" not in said


# --- secrets
# --------------------------------------------------------------------------------------------------


def test_no_password_is_written_and_the_file_loads_with_it_set(
    postgresql: Integration, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.table("Zone", {"Id": String(9)}, [{"Id": "N"}])
    secret = "s3cret%2F%C3%BC"
    url = postgresql.url.replace("postgres@", f"postgres:{secret}@")
    assert secret in url
    said = command.run("init", url)
    assert "Set KIMO_ERP_PASSWORD first" in said.stdout
    assert "s3cret" not in command.text + said.output
    assert "postgres:${KIMO_ERP_PASSWORD}@" in command.text
    assert "KIMO_ERP_PASSWORD is not set" in command.run("check", code=2).stderr
    monkeypatch.setenv("KIMO_ERP_PASSWORD", secret)
    assert load_config(command.file).sources["erp"].sqlalchemy_url.password == "s3cret/ü"
    assert command.imported()["success"] is True


def test_a_variable_in_the_url_is_used_and_stays_in_the_file(
    postgresql: Integration, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.table("Zone", {"Id": String(9)})
    url = postgresql.url.replace("postgres@", "postgres:${ERP_PW}@")
    assert "ERP_PW" in command.run("init", url, code=2).stderr
    monkeypatch.setenv("ERP_PW", "s3cret")
    assert "KIMO_ERP_PASSWORD" not in command.run("init", url).stdout
    assert "postgres:${ERP_PW}@" in command.text
    assert "s3cret" not in command.text


def test_a_path_counts_from_here_on_the_command_line_and_from_the_file_in_the_file(
    sqlite: Integration, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sqlite.table("Zone", {"Id": String(9)})
    monkeypatch.chdir(tmp_path)
    command.run("init", "sqlite:///integration.sqlite")
    assert 'url: "sqlite:///integration.sqlite"' in command.text
    there = tmp_path / "there" / "kimo.yaml"
    command.run("init", "sqlite:///integration.sqlite", "--to", str(there))
    assert load_config(there).sources["erp"].url == sqlite.url
    assert sorted(os.listdir(there.parent)) == ["kimo.schema.json", "kimo.yaml"]
