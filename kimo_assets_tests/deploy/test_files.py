"""The files of deploy/ that nothing here can run: what they name exists, no process is root, no
file holds a password.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import dagster_webserver

from kimo_assets.cli import main
from kimo_assets.config import load_config
from kimo_assets.defs.instance import server_dagster_yaml
from kimo_assets_tests.deploy.conftest import DEPLOY, ROOT

pytestmark = pytest.mark.portable

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}

# Where the command is not there, its options cannot be looked at.
SERVE = "serve"


PROGRAMS = {
    "dagster": create_dagster_cli(),
    "dagster-webserver": dagster_webserver,
    "dagster-daemon": create_dagster_daemon_cli(),
}


def commands() -> Iterator[tuple[str, list[str]]]:
    for unit in UNITS:
        (line,) = re.findall(r"^ExecStart=(.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        yield unit.name, shlex.split(line.replace("/opt/kimo/.venv/bin/", ""))
    for name, service in OURS.items():
        yield f"compose {name}", service["command"]


@pytest.mark.parametrize(
    ("where", "command"), [pytest.param(*one, id=one[0]) for one in commands()]
)
def test_commands_and_their_options_are_those_of_the_installed_programs(
    where: str, command: list[str]
) -> None:
    program, *arguments = command
    if program == "celery":
        if importlib.util.find_spec("celery") is None:
            pytest.skip("dagster-celery is not installed")
        assert arguments[:3] == ["-A", "dagster_celery.app", "worker"]
        return
    words = [
        word
        for word in arguments[: 2 if program == "dagster" else 1]
        if re.fullmatch("[a-z]+", word)
    ]
    if program == "kimo":
        words = [word for word in arguments if word in main.commands or word == SERVE]
        if words == [SERVE] and SERVE not in main.commands:
            pytest.skip("kimo serve is not there yet")
        said = CliRunner().invoke(main, [*words, "--help"]).output
        arguments = arguments[arguments.index(words[0]) :]
    else:
        said = CliRunner().invoke(PROGRAMS[program], [*words, "--help"]).output
    for option in (word for word in arguments if word.startswith("-")):
        assert re.search(rf"(^|[\s,]){re.escape(option)}\b", said), (
            f"{where}: {program} knows no {option}"
        )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With programs and a user that this machine has."""
    for unit in UNITS:
        text = re.sub(r"/opt/kimo/\.venv/bin/\S+", "/bin/true", unit.read_text(encoding="utf-8"))
        name = unit.name.replace("@", "@acme")
        (tmp_path / name).write_text(text.replace("User=kimo", "User=root"), encoding="utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stderr.strip()) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_service_is_not_root_and_listens_on_loopback(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "User=kimo\n" in text
    assert "NoNewPrivileges=true\n" in text
    assert "0.0.0.0" not in text
    if re.search(r"(-p|--port) ", text):
        assert re.search(r"(-h|--host) 127\.0\.0\.1", text)


def test_the_image_is_not_root_and_takes_only_what_is_there() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\w+)$", last_stage, re.MULTILINE) == ["kimo"]
    for line in re.findall(r"^COPY (?!--from)(?:--chown=\S+ )?(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        s
        for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)
        for s in line.split()[:-1]
    }
    assert copied <= kept | {"deploy"}


def test_the_services_of_compose_are_shut_healthy_and_complete() -> None:
    volumes = set(COMPOSE["volumes"])
    for name, service in COMPOSE["services"].items():
        assert "healthcheck" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (
                source in volumes or source.startswith("./secrets/") or (DEPLOY / source).exists()
            ), source
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    workspace = yaml.safe_load((DEPLOY / "compose" / "workspace.yaml").read_text(encoding="utf-8"))
    assert {server["grpc_server"]["host"] for server in workspace["load_from"]} <= set(OURS)


def test_kubernetes_gets_the_settings_of_the_template() -> None:
    template = yaml.safe_load(server_dagster_yaml())
    daemon = VALUES["dagsterDaemon"]
    assert VALUES["additionalInstanceConfig"]["concurrency"] == template["concurrency"]
    assert (
        daemon["runMonitoring"]["startTimeoutSeconds"]
        == template["run_monitoring"]["start_timeout_seconds"]
    )
    assert (
        daemon["runMonitoring"]["maxResumeRunAttempts"]
        == template["run_monitoring"]["max_resume_run_attempts"]
    )
    kept = {
        kind: {"purge_after_days": VALUES["retention"][kind]["purgeAfterDays"]}
        for kind in ("schedule", "sensor")
    }
    assert kept == template["retention"]
    for deployment in VALUES["dagster-user-deployments"]["deployments"]:
        assert deployment["podSecurityContext"]["runAsNonRoot"] is True
        assert f"useradd --uid {deployment['podSecurityContext']['runAsUser']}" in DOCKERFILE


def test_the_versions_are_those_of_the_constraints() -> None:
    pinned = dict(
        re.findall(
            r"^([\w-]+)==(\S+)$",
            (ROOT / "constraints.txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert f"--version {pinned['dagster']} " in (DEPLOY / "helm-values.yaml").read_text(
        encoding="utf-8"
    )
    assert pinned["dagster-celery"].split(".")[-1] == pinned["dagster"].split(".")[-1]


def test_the_example_of_a_company_s_kimo_yaml_loads_with_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dagster.env", "acme.env"):
        for line in (DEPLOY / "companies" / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                monkeypatch.setenv(*line.split("=", 1))
    file = tmp_path / "kimo.yaml"
    file.write_text(
        (DEPLOY / "companies" / "acme.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    config = load_config(file)
    assert config.company == "acme"
    assert config.database.dagster_url is not None
    assert config.database.dagster_url.startswith("postgresql+psycopg2://")


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(DEPLOY.rglob("*")) if file.is_file() and file.suffix != ".pyc"],
    ids=lambda file: str(file.relative_to(DEPLOY)),
)
def test_no_file_holds_a_password(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for password in re.findall(r"://[^:/\s\"']+:([^@\s]+)@", text):
        assert password in ("CHANGE_ME", "password") or re.fullmatch(r"\$\{\w+\}", password), (
            f"{file.name}: {password}"
        )
    for value in re.findall(r"^\w*(?:PASSWORD|TOKEN|KEY)=(.*)$", text, re.MULTILINE):
        assert value in ("CHANGE_ME", "")


def test_the_page_names_only_files_that_are_there() -> None:
    for page in (ROOT / "docs" / "deploying.md", DEPLOY / "README.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), target
