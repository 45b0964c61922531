"""Which requests are answered: by token, method and rate, and what is logged of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.server import Database
from kimo_assets.webapi.app import build_app
from kimo_assets.webapi.endpoints import ENDPOINTS
from kimo_assets.webapi.rates import Rates
from kimo_assets_tests.webapi.conftest import BASE, TOKEN, ask, free_port, serving

NewApi = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def api(tmp_path: Path, own_database: Database) -> NewApi:
    """The web API of a company whose webserver is down."""

    def start(
        *, token: str | None = TOKEN, graphql_url: str | None = None, **settings: Any
    ) -> AbstractContextManager[str]:
        config = written(tmp_path, **settings)
        down = f"http://ugo:pl4nted@127.0.0.1:{free_port()}/graphql"
        return serving(
            build_app(config, lambda: own_database, token=token, graphql_url=graphql_url or down)
        )

    return start


def written(folder: Path, **settings: Any) -> KimoConfig:
    file = folder / "kimo.yaml"
    file.write_text(
        "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\ndatabase: {url:"
        f" 'postgresql://not.asked/kimo'}}\napi: {settings or '{}'}\nentities: {{Account: {{}}}}\n",
        encoding="utf-8",
    )
    return load_config(file)


@pytest.mark.parametrize("name", [*ENDPOINTS, "Status", "nonsense"])
def test_nothing_is_answered_without_the_token(api: NewApi, name: str) -> None:
    with api() as base:
        for token in (None, "", "wrong", TOKEN[:-1], f"{TOKEN}0", TOKEN.upper(), "è"):
            answer = ask(
                base,
                name,
                token=None,
                headers={"Authorization": f"Bearer {token}".encode()} if token else {},
            )
            assert (answer.status_code, answer.json()["accepted"]) == (401, False)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert ask(base, name, token=None, params={"token": "wrong"}).status_code == 401


def test_the_token_may_be_in_the_header_or_in_the_address(api: NewApi) -> None:
    with api() as base:
        given: list[dict[str, Any]] = [
            {"headers": {"Authorization": f"bearer {TOKEN}"}},
            {"params": {"token": TOKEN}},
            {"params": {"Token": TOKEN}},
            {"headers": {"Authorization": "Basic dWdvOng="}, "params": {"token": TOKEN}},
        ]
        for options in given:
            assert ask(base, "Status", token=None, **options).status_code == 200


def test_a_cookie_opens_nothing_and_a_wrong_header_is_not_outweighed(api: NewApi) -> None:
    with api() as base:
        assert ask(base, "Status", token=None, cookies={"token": TOKEN}).status_code == 401
        assert ask(base, "Status", token="wrong", params={"token": TOKEN}).status_code == 401


@pytest.mark.parametrize("token", [None, ""])
def test_without_the_variable_everybody_is_refused_with_a_sentence(
    api: NewApi, token: str | None
) -> None:
    with api(token=token, token_variable="KIMO_X") as base:
        for given in ("", "None", TOKEN):
            answer = ask(base, "FullImportFromErp", token=given or None, params={"token": given})
            assert (answer.status_code, answer.json()["error"]) == (403, "NoToken")
            assert "KIMO_X" in answer.json()["message"]


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]
)
def test_only_get_is_answered(api: NewApi, method: str) -> None:
    with api() as base:
        answer = requests.request(
            method,
            f"{base}{BASE}/FullImportFromErp",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
def test_a_browser_that_fetches_ahead_starts_nothing(api: NewApi, header: str) -> None:
    with api() as base:
        answer = ask(
            base,
            "FullImportFromErp",
            token=None,
            params={"token": TOKEN},
            headers={header: "prefetch;prerender"},
        )
    assert (answer.status_code, answer.json()["error"]) == (403, "Prefetch")


def test_the_host_header_does_not_decide_which_path_it_is(api: NewApi) -> None:
    """Starlette puts its URL together from it."""
    with api() as base:
        for host in ("x/health?", "x/health#", "x/health"):
            assert (
                ask(base, "FullImportFromErp", token=None, headers={"Host": host}).status_code
                == 401
            )
        assert requests.get(f"{base}/health/", timeout=30).status_code == 401


def test_health_needs_no_token_and_is_not_counted(api: NewApi) -> None:
    with api(per_minute=1) as base:
        for _ in range(5):
            answer = requests.get(f"{base}/health", timeout=30)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_who_asks_too_often_is_told_when_again_also_with_wrong_tokens(api: NewApi) -> None:
    with api(per_minute=3) as base:
        assert [ask(base, "Status", token="wrong").status_code for _ in range(3)] == [401] * 3
        answer = ask(base, "Status")
    assert (answer.status_code, answer.json()["error"]) == (429, "TooManyRequests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 20


def test_addresses_are_counted_apart_by_the_header_of_a_proxy_on_this_machine(api: NewApi) -> None:
    with api(per_minute=1) as base:
        for address in ("10.0.0.1", "10.0.0.2"):
            answers = [
                ask(base, "Status", headers={"X-Forwarded-For": address}).status_code
                for _ in range(2)
            ]
            assert answers == [200, 429]


def test_a_bucket_fills_again_with_time_and_no_further_than_full() -> None:
    now = 0.0
    rates = Rates(60, clock=lambda: now)
    assert [rates.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait_s("a") == pytest.approx(1)
    assert rates.wait_s("b") == 0
    now = 1.0
    assert [rates.wait_s("a") == 0 for _ in range(2)] == [True, False]
    now = 10_000.0
    assert sum(rates.wait_s("a") == 0 for _ in range(100)) == 60


def test_very_many_addresses_take_no_more_memory() -> None:
    rates = Rates(1, clock=lambda: 0.0)
    for number in range(20_000):
        rates.wait_s(str(number))
    assert len(rates._buckets) == 10_000


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/server/Integration/ExportToErpp", "Did you mean ExportToErp"),
        ("/server/Integration/Stauts", "Did you mean Status"),
        ("/server/Integration/", "There are: FullImportFromErp, ImportFromErp"),
        ("/", "There are: FullImportFromErp"),
        ("/server/Integration/FullImportFromErp/more", "There are: FullImportFromErp"),
        ("/server/Integration/zzz", "LoadFromIntegratorAndPrepareSyncData, ExportToErp, Status"),
    ],
)
def test_what_does_not_exist_is_404_and_the_nearest_are_named(
    api: NewApi, path: str, said: str
) -> None:
    with api() as base:
        answer = requests.get(
            f"{base}{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )
    assert answer.status_code == 404
    assert said in answer.json()["message"]


@pytest.mark.parametrize(
    "path", ["/server/integration/fullimportfromerp", "/SERVER/INTEGRATION/FULLIMPORTFROMERP/"]
)
def test_a_webserver_that_is_down_is_503_with_a_sentence_and_upper_case_does_not_matter(
    api: NewApi, path: str
) -> None:
    with api() as base:
        answer = requests.get(
            f"{base}{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )
    assert (answer.status_code, answer.json()["error"]) == (503, "WebserverDown")
    assert "does not answer. Start it" in answer.json()["message"]
    assert "Nothing was started" in answer.json()["message"]
    assert "pl4nted" not in answer.text


@contextmanager
def something_else(answered: bytes) -> Iterator[str]:
    """A web server that is not Dagster's."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/graphql"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (b"<html>", "is no GraphQL of Dagster's"),
        (b"[]", "does not understand: an answer that is none of GraphQL's"),
        (
            b'{"data": null, "errors": [{"message": "no such field"}]}',
            "does not understand: no such field",
        ),
        (
            b'{"data": {"repositoriesOrError": {"message": "cannot\\nload"}}}',
            "refuses: cannot load",
        ),
        (b'{"data": {"repositoriesOrError": {"nodes": []}}}', "has loaded no code location"),
    ],
)
def test_a_webserver_that_is_none_is_503_too(api: NewApi, answered: bytes, said: str) -> None:
    with something_else(answered) as url, api(graphql_url=url) as base:
        answer = ask(base, "FullImportFromErp")
    assert answer.status_code == 503
    assert said in answer.json()["message"]


def test_of_several_companies_kimo_yaml_has_to_say_which(api: NewApi) -> None:
    jobs = [{"name": "full_import_from_erp"}]
    nodes = [
        {"name": "__repository__", "location": {"name": name}, "jobs": jobs}
        for name in ("south", "north")
    ]
    both = {"data": {"repositoriesOrError": {"nodes": nodes}}}
    with something_else(json.dumps(both).encode()) as url, api(graphql_url=url) as base:
        assert (
            "(north, south): say in kimo.yaml, api.code_location"
            in ask(base, "ImportFiles").json()["message"]
        )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("ImportFromErp", "Say which entities"),
        ("ImportFromErp?tables=,%20,", "Say which entities"),
        (
            "ImportFromErp?tabels=Account",
            "There is no parameter 'tabels'. Known here: tables, onlyListed.",
        ),
        (
            "FullImportFromErp?tables=Account",
            "FullImportFromErp takes none. ImportFromErp?tables=A,B imports named",
        ),
        ("ImportFromErp?tables=Account&onlyListed=maybe", "expected true or false, got 'maybe'"),
    ],
)
def test_a_wrong_parameter_is_400_and_starts_nothing(api: NewApi, asked: str, said: str) -> None:
    with api() as base:
        answer = ask(base, asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "BadRequest")
    assert said in answer.json()["message"]


def test_the_log_has_a_line_a_request_and_never_a_token(
    api: NewApi, access_log: pytest.LogCaptureFixture
) -> None:
    with api() as base:
        ask(
            base,
            "ImportFromErp",
            token=None,
            params={"token": TOKEN, "tables": "Account\n127.0.0.1 GET / -> 200"},
        )
        ask(base, "FullImportFromErp", token=None, params={"tokn": TOKEN})
        ask(base, "%0D%0AFullImportFromErp")
        requests.get(f"{base}/health", timeout=30)
    lines = [
        record.getMessage() for record in access_log.records if record.name == "kimo_assets.webapi"
    ]
    assert len(lines) == 3
    assert lines[0].startswith(
        f"127.0.0.1 GET {BASE}/ImportFromErp tables='Account\\n127.0.0.1 GET / -> 200' -> 503 "
    )
    assert lines[1].startswith(f"127.0.0.1 GET {BASE}/FullImportFromErp -> 401 ")
    assert lines[2].startswith(f"127.0.0.1 GET {BASE}/%0D%0AFullImportFromErp -> 404 ")
    assert TOKEN not in access_log.text
