"""From outside: `kimo dev` with everything it starts, docs/api.md carried out on it, nginx before
it, and no secret in what all of this leaves behind.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from sqlalchemy.engine import make_url

from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets_tests.cli.conftest import Company, NewCompany
from kimo_assets_tests.cli.test_secrets import (
    OWN_PASSWORD,
    PLACES,
    PLANTED,
    everything,
    places,
)
from kimo_assets_tests.webapi.conftest import (
    BASE,
    TOKEN,
    ask,
    free_port,
    graphql,
    listens,
    runs,
    wait,
    with_own_dagster,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"```(bash|json|python|yaml)\n(.*?)```", PAGE, re.DOTALL)
PLANTED_TOKEN = "pl4nted-in-the-API"


@dataclass(frozen=True)
class Outside:
    """A running `kimo dev`: the UI, the web API, the UI for viewers."""

    company: Company
    process: "subprocess.Popen[str]"
    url: str
    api: str
    read_only: str


@pytest.fixture(scope="module")
def outside(new_company: NewCompany, database: Database) -> Iterator[Outside]:
    """Secrets are planted wherever one belongs; none of them stands in kimo.yaml."""
    company = with_own_dagster(new_company(), database)
    text = company.config.read_text(encoding="utf-8").replace(
        "postgres:@", "postgres:${KIMO_PASSWORD}@"
    )
    smtp = (
        "smtp: {host: 127.0.0.1, port: 1, username: kimo, password: '${SMTP_PASSWORD}',"
        " timeout_s: 1}"
    )
    company.config.write_text(
        f"{text}\nnotifications: {{{smtp}, error_recipients: [it@example.it], info_recipients:"
        " [it@example.it]}\ngeocoding: {base_url: 'http://127.0.0.1:1', timeout_s: 1}\n",
        encoding="utf-8",
    )
    planted = {
        "KIMO_API_TOKEN": PLANTED_TOKEN,
        "KIMO_PASSWORD": "pl4nted-at-home",
        "SMTP_PASSWORD": "pl4nted-by-mail",
        "GOOGLE_MAPS_API_KEY": "AIzapl4nted-at-Google",
    }
    ports = [
        argument
        for option in ("--port", "--api-port", "--read-only-port")
        for argument in (option, str(free_port()))
    ]
    command = [
        sys.executable,
        "-c",
        "from kimo_assets.cli import main; main()",
        "dev",
        "--json",
        *ports,
    ]
    log = company.directory / "dev.log"
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [*command, "--config", str(company.config)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **planted},
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            document = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            yield Outside(company, process, document["url"], document["api"], document["read_only"])
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    assert process.returncode == 0, log.read_text(encoding="utf-8")


def test_all_of_it_listens_on_this_machine_alone(outside: Outside) -> None:
    family = psutil.Process(outside.process.pid).children(recursive=True)
    addresses = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::1"}
    assert addresses


# --- docs/api.md
# --------------------------------------------------------------------------------------------------


class Page:
    """The page's blocks, carried out one by one, in their order."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._left = list(BLOCKS)
        self._token = {"KIMO_API_TOKEN": PLANTED_TOKEN}

    def bash(self, **variables: str) -> Any:
        """The next block's answer; has the keys of the example that follows it."""
        kind, text = self._next("bash")
        assert kind == "bash"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(text)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **self._token, **variables},
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        if self._left[0][0] == "json":
            assert _keys(json.loads(self._left[0][1])) == _keys(answer), answer
        assert "errors" not in answer, answer
        return answer

    def python(self) -> str:
        """What the next block prints."""
        _, text = self._next("python")
        done = subprocess.run(
            [sys.executable, "-c", self._here(text)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_done(self) -> bool:
        return not [kind for kind, _ in self._left if kind in ("bash", "python")]

    def _next(self, kind: str) -> tuple[str, str]:
        while self._left[0][0] != kind:
            assert self._left.pop(0)[0] in ("json", "yaml")
        return self._left.pop(0)

    def _here(self, text: str) -> str:
        """Where it says this machine's usual ports, those of the test."""
        text = text.replace("http://127.0.0.1:3000", self._outside.url).replace(
            "http://127.0.0.1:3001", self._outside.api
        )
        return text.replace("port_number=3000", f"port_number={urlsplit(self._outside.url).port}")


def _keys(document: Any) -> Any:
    return (
        {key: _keys(value) for key, value in document.items()}
        if isinstance(document, dict)
        else None
    )


def _ended(outside: Outside, run_id: str) -> str:
    """A run's last status."""
    final = ("SUCCESS", "FAILURE", "CANCELED")
    return str(
        wait(lambda: (now := _status(outside, run_id)) in final and now, f"the end of run {run_id}")
    )


def _status(outside: Outside, run_id: str) -> str:
    return str({run["runId"]: run["status"] for run in runs(outside.url)}[run_id])


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"
)
def test_every_request_of_the_page_does_what_the_page_says(outside: Outside) -> None:
    page = Page(outside)
    first = page.bash()["run_id"]
    assert page.bash()["because_of"]["run_id"] == first
    assert page.bash()["running"][0]["run_id"] == first
    (asset,) = page.bash()["data"]["assetNodes"]
    whole = asset["partitionKeys"]
    assert whole == load_config_names(outside)
    # Equal to one that is still waiting, a run would be dropped.
    wait(lambda: _status(outside, first) != "QUEUED", "the first run's start")
    # What waits behind the first run is taken back: that it was accepted is what these are about.
    launched = [page.bash(FIRST=whole[0], LAST=whole[-1]), page.bash()]
    for answer in launched:
        run = answer["data"]["launchRun"]["run"]
        assert run["status"] == "QUEUED"
        graphql(
            outside.url,
            "mutation($id: String!) {terminateRun(runId: $id) {__typename}}",
            id=run["runId"],
        )
    assert _ended(outside, first) == "SUCCESS"
    followed = page.bash(RUN=first)["data"]["runOrError"]
    assert (followed["__typename"], followed["status"]) == ("Run", "SUCCESS")
    staged, loaded = page.bash()["data"]["assetNodes"]
    assert _counts(staged) == {"read": 11, "staged": 8, "rejected": 3}
    assert _counts(loaded) == {"inserted": 8, "updated": 0}
    assert page.python().endswith(" SUCCESS\n")
    counts = eval(page.python())
    assert (counts["inserted"], counts["unchanged"]) == (0, 8)
    assert page.is_done()


def load_config_names(outside: Outside) -> list[str]:
    return load_config_with_secrets(outside).entity_names


def load_config_with_secrets(outside: Outside) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIMO_PASSWORD", "")
        patch.setenv("SMTP_PASSWORD", "x")
        return load_config(outside.company.config)


def _counts(asset: Any) -> dict[str, int]:
    (recorded,) = asset["latestMaterializationByPartition"]
    wanted = ("read", "staged", "rejected", "inserted", "updated")
    return {
        entry["label"]: entry["intValue"]
        for entry in recorded["metadataEntries"]
        if entry["label"] in wanted
    }


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "yaml"])
def test_every_kimo_yaml_on_the_page_can_be_read(block: str, tmp_path: Path) -> None:
    (tmp_path / "kimo.yaml").write_text(
        f"sources: {{erp: {{url: sqlite:///x}}}}\n{block}", encoding="utf-8"
    )
    assert load_config(tmp_path / "kimo.yaml").api.token_variable == "KIMO_API_TOKEN"


def test_every_parameter_status_and_error_of_the_program_is_on_the_page() -> None:
    code = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "kimo_assets" / "webapi").glob("*.py")
    )
    errors = set(re.findall(r'\b[1-5]\d\d,\s+"(\w+)"', code))
    assert {"Discarded", "NoToken", "Unauthorized", "WebserverDown"} <= errors
    assert [name for name in errors - {"Broken"} if f"`{name}`" not in PAGE] == []


# --- the UI for viewers
# ------------------------------------------------------------------------------------------------

LAUNCH = """mutation {launchRun(executionParams: {runConfigData: {}, selector: {
    repositoryLocationName: "kimo_assets.definitions", repositoryName: "__repository__",
    jobName: "plan_import"}})
    {__typename ... on LaunchRunSuccess {run {runId}} ... on Error {message}}}"""


def test_viewers_can_look_and_change_nothing(outside: Outside) -> None:
    before = runs(outside.read_only)
    assert graphql(outside.read_only, LAUNCH)["launchRun"]["__typename"] == "UnauthorizedError"
    reload = (
        'mutation {reloadRepositoryLocation(repositoryLocationName: "kimo_assets.definitions")'
        " {__typename}}"
    )
    assert (
        graphql(outside.read_only, reload)["reloadRepositoryLocation"]["__typename"]
        == "UnauthorizedError"
    )
    told = requests.post(
        f"{outside.read_only}/report_asset_materialization/erp_staging?partition=Account",
        timeout=30,
    )
    assert told.status_code == 401
    assert runs(outside.read_only) == before == runs(outside.url)


# --- the proxy
# --------------------------------------------------------------------------------------------------

OPERATOR, VIEWER = ("anna", "pl4nted-anna"), ("ugo", "pl4nted-ugo")
NAMES = ("kimo.example.it", "kimo-viewers.example.it")


@dataclass(frozen=True)
class Proxy:
    port: int
    plain_port: int
    certificate: Path
    folder: Path

    def ask(
        self, method: str, path: str, *, name: str = NAMES[0], **options: Any
    ) -> requests.Response:
        """By TLS, as if the name led here."""
        session = requests.Session()
        session.mount("https://", _Named(name))
        headers = {"Host": f"{name}:{self.port}", **options.pop("headers", {})}
        with session:
            return session.request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                headers=headers,
                verify=str(self.certificate),
                timeout=60,
                allow_redirects=False,
                **options,
            )


class _Named(requests.adapters.HTTPAdapter):
    """TLS asks for a host by its name, and holds the certificate against it."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(
            *args, **options, server_hostname=self._name, assert_hostname=self._name
        )


@pytest.fixture(scope="module")
def proxy(outside: Outside, server_folder: Path) -> Iterator[Proxy]:
    """deploy/nginx.conf as it is, but for ports, paths and the user that nginx runs as."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None or not shutil.which("openssl"):
        pytest.skip(
            "nginx (and openssl, for a certificate) is not on this machine: apt-get install nginx"
        )
    folder = server_folder / "nginx"
    folder.mkdir()
    made = Proxy(free_port(), free_port(), folder / "kimo.crt", folder)
    _certificate(folder)
    for file, (name, password) in (("kimo.htpasswd", OPERATOR), ("kimo-viewers.htpasswd", VIEWER)):
        secret = subprocess.run(
            ["openssl", "passwd", "-apr1", password], capture_output=True, text=True, check=True
        ).stdout
        (folder / file).write_text(f"{name}:{secret}", encoding="utf-8")
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for there, here in {
        "/etc/nginx": folder,
        "/etc/ssl": folder,
        "/var/log/nginx": folder,
        "listen 443": f"listen 127.0.0.1:{made.port}",
        "listen 80": f"listen 127.0.0.1:{made.plain_port}",
        "http://127.0.0.1:3000": outside.url,
        "http://127.0.0.1:3001": outside.api,
        "http://127.0.0.1:3002": outside.read_only,
    }.items():
        assert there in text
        text = text.replace(there, str(here))
    user = "user root;" if os.geteuid() == 0 else ""
    own = f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;"
    whole = f"{own}\nevents {{}}\nhttp {{ access_log off;\n{text}\n}}\n"
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    with _running(
        [
            nginx,
            "-p",
            str(folder),
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            str(folder / "error.log"),
        ]
    ) as process:
        wait(lambda: process.poll() is not None or listens(made.port), "nginx")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield made


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _certificate(folder: Path) -> None:
    names = ",".join(f"DNS:{name}" for name in NAMES)
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={NAMES[0]}",
            "-addext",
            f"subjectAltName={names}",
            "-keyout",
            str(folder / "kimo.key"),
            "-out",
            str(folder / "kimo.crt"),
        ],
        check=True,
        capture_output=True,
    )


NUX = "mutation {setNuxSeen}"
AS_TEXT = json.dumps({"query": NUX})


def test_the_proxy_asks_for_a_password_and_passes_graphql_by_post(proxy: Proxy) -> None:
    asked = {"query": "{version}"}
    assert proxy.ask("GET", "/").status_code == 401
    assert proxy.ask("POST", "/graphql", json=asked).status_code == 401
    assert proxy.ask("GET", "/", auth=VIEWER).status_code == 401
    assert proxy.ask("GET", "/", auth=OPERATOR).status_code == 200
    assert "version" in proxy.ask("POST", "/graphql", json=asked, auth=OPERATOR).json()["data"]
    by_itself = proxy.ask(
        "POST",
        "/graphql",
        data="{version}",
        headers={"Content-Type": "application/graphql; charset=utf-8"},
        auth=OPERATOR,
    )
    assert "version" in by_itself.json()["data"]
    own = {"Origin": f"https://{NAMES[0]}:{proxy.port}"}
    assert proxy.ask("POST", "/graphql", json=asked, headers=own, auth=OPERATOR).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", f"/graphql?query={NUX}", {}),
        ("GET", f"/%67raphql?query={NUX}", {}),
        ("GET", f"//graphql?query={NUX}", {}),
        ("GET", f"/x/../graphql?query={NUX}", {}),
        ("GET", f"/graphql?query={NUX}", {"headers": {"Upgrade": "websocket"}}),
        ("GET", f"/graphql?query={NUX}", {"headers": {"Upgrade": "h2c"}}),
        ("HEAD", f"/graphql?query={NUX}", {}),
        ("POST", f"/graphql?query={NUX}", {"data": {"x": "1"}}),
        ("POST", f"/graphql?query={NUX}", {"json": {"query": "{version}"}}),
        ("POST", "/graphql", {"data": AS_TEXT, "headers": {"Content-Type": "text/plain"}}),
        (
            "POST",
            "/graphql",
            {"data": AS_TEXT, "headers": {"Content-Type": "text/plain; application/json"}},
        ),
        (
            "POST",
            "/graphql",
            {"json": {"query": NUX}, "headers": {"Origin": "https://elsewhere.example"}},
        ),
        ("POST", "/graphql", {"json": {"query": NUX}, "headers": {"Origin": "null"}}),
        (
            "GET",
            "/graphql",
            {"headers": {"Upgrade": "websocket", "Origin": "https://elsewhere.example"}},
        ),
        ("POST", "/report_asset_materialization/erp_staging", {"data": {"partition": "Account"}}),
    ],
)
def test_the_proxy_refuses_what_another_sites_page_could_send(
    proxy: Proxy, method: str, path: str, sent: Any
) -> None:
    """With a password that a browser would send along."""
    for name, auth in zip(NAMES, (OPERATOR, VIEWER), strict=True):
        answer = proxy.ask(method, path, name=name, auth=auth, **sent)
        assert answer.status_code in (403, 405), answer.text
        assert "setNuxSeen" not in answer.text


def test_dagster_itself_would_carry_them_out(outside: Outside) -> None:
    """Why the proxy refuses them. When this fails, Dagster has learnt it."""
    done = [
        requests.get(f"{outside.url}/graphql", params={"query": NUX}, timeout=30),
        requests.post(f"{outside.url}/graphql", params={"query": NUX}, data={"x": "1"}, timeout=30),
        requests.post(
            f"{outside.url}/graphql",
            data=AS_TEXT,
            timeout=30,
            headers={"Content-Type": "text/plain; application/json"},
        ),
    ]
    assert [answer.json() for answer in done] == [{"data": {"setNuxSeen": True}}] * 3


def test_the_proxy_passes_websockets_of_its_own_pages(proxy: Proxy) -> None:
    from base64 import b64encode

    from websockets.sync.client import connect

    context = ssl.create_default_context(cafile=str(proxy.certificate))
    password = b64encode(":".join(OPERATOR).encode()).decode()
    with (
        socket.create_connection(("127.0.0.1", proxy.port)) as line,
        connect(
            f"wss://{NAMES[0]}:{proxy.port}/graphql",
            sock=line,
            ssl=context,
            server_hostname=NAMES[0],
            proxy=None,
            origin=f"https://{NAMES[0]}:{proxy.port}",
            subprotocols=["graphql-ws"],  # type: ignore[arg-type, list-item]
            # A machine under load needs longer than the ten seconds of the default.
            open_timeout=60,
            additional_headers={"Authorization": f"Basic {password}"},
        ) as talk,
    ):
        talk.send(json.dumps({"type": "connection_init"}))
        assert json.loads(talk.recv(timeout=30)) == {"type": "connection_ack"}


def test_the_proxy_leads_viewers_to_the_ui_that_changes_nothing(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/", name=NAMES[1], auth=OPERATOR).status_code == 401
    answer = proxy.ask("POST", "/graphql", name=NAMES[1], auth=VIEWER, json={"query": LAUNCH})
    assert answer.json()["data"]["launchRun"]["__typename"] == "UnauthorizedError"
    assert proxy.ask(
        "GET", f"{BASE}/Status?token={PLANTED_TOKEN}", name=NAMES[1], auth=VIEWER
    ).text.startswith("<!")


@pytest.mark.parametrize("path", [f"{BASE}/Status", f"{BASE.lower()}/STATUS"])
def test_the_proxy_leads_scripts_to_the_api_with_the_token_alone(proxy: Proxy, path: str) -> None:
    assert proxy.ask("GET", path).json()["error"] == "Unauthorized"
    assert proxy.ask("GET", f"{path}?token={PLANTED_TOKEN}").status_code == 200
    assert (
        proxy.ask("GET", path, headers={"Authorization": f"Bearer {PLANTED_TOKEN}"}).status_code
        == 200
    )
    plain = requests.get(
        f"http://127.0.0.1:{proxy.plain_port}{path}", timeout=30, allow_redirects=False
    )
    assert plain.status_code == 403  # a token that travels openly is not sent on


# --- secrets
# --------------------------------------------------------------------------------------------------


def test_no_secret_is_in_what_all_of_this_leaves_behind(
    outside: Outside, request: pytest.FixtureRequest
) -> None:
    """Answers, access logs, the log of all processes, compute logs, every table of both
    databases.
    """
    said = []
    for name in (
        "GeocodeAddresses",
        "ExportToErp",
        "ImportFromErp?tables=Acount",
        "Status",
        "nonsense",
    ):
        answer = ask(outside.api, name, token=None, params={"token": PLANTED_TOKEN})
        said += [answer.text, str(answer.headers)]
        if answer.json().get("accepted"):
            _ended(outside, answer.json()["run_id"])
    assert TOKEN != PLANTED_TOKEN
    said += [ask(outside.api, "Status").text, ask(outside.api, "Status", token=None).text]
    config = load_config_with_secrets(outside)
    url = (
        make_url(config.database.dagster_url)
        .set(drivername="postgresql")
        .render_as_string(hide_password=False)
    )
    pieces = [*everything(outside.company, dagster_url=url), *(("said", text) for text in said)]
    if shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        folder = request.getfixturevalue("proxy").folder
        pieces += [
            (str(file), file.read_text(encoding="utf-8", errors="replace"))
            for file in folder.glob("*.log")
        ]
    assert [(where, text[:300]) for where, text in pieces if PLANTED.search(text)] == []
    assert places(pieces) >= PLACES | {"dev.log"}
    logged = (outside.company.directory / "dev.log").read_text(encoding="utf-8")
    assert "api | 127.0.0.1 GET /server/Integration/nonsense -> 404" in logged
    assert OWN_PASSWORD not in logged
