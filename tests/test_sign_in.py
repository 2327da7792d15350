"""Sign-in on a Space, through a provider of OpenID that stands here: jobs go with the person, and no token is kept."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import SAMPLE
from tests.servers import APP, Server, running
from vt.errors import BadCall
from vt.ui.gateway import sign_in
from vt.ui.gateway.sign_in import LOGIN, LOGOUT, SignIn, checked, person_of

HOST, CLIENT, SECRET = "someone-vt.hf.space", "the-space", "a-secret-of-the-space"
TOKEN = "hf_oauth_never_to_be_kept"  # noqa: S105 (of nobody)
PEOPLE = {"ana": "the number of ana", "ben": "the number of ben"}
"""The numbers of the accounts, by their names."""


@dataclass
class Provider:
    """What the provider knows: its key, and which sign-ins are under way."""

    address: str = ""
    key: Any = None
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By code: who, the nonce, and where the browser goes back to."""
    minutes: float = 480
    """For how long a sign-in holds."""

    def metadata(self) -> dict[str, Any]:
        routes = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        known = {name: f"{self.address}/{route}" for name, route in routes.items()}
        return known | {"issuer": self.address, "id_token_signing_alg_values_supported": ["RS256"]}

    def consent(self, asked: dict[str, str], account: str) -> str:
        """Return where the browser is sent to."""
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        answer = {"state": asked["state"]}
        if account:
            code = secrets.token_hex(8)
            self.codes[code] = account, asked["nonce"], asked["redirect_uri"]
            answer["code"] = code
        else:
            answer["error"] = "access_denied"
        return f"{asked['redirect_uri']}&{urlencode(answer)}"

    def token(self, asked: dict[str, str], authorization: str) -> dict[str, Any] | None:
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        account, nonce, back = self.codes.pop(asked["code"], ("", "", ""))
        if not account or authorization != f"Basic {basic}" or asked["redirect_uri"] != back:
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": nonce}
        claims |= {
            "sub": PEOPLE[account],
            "preferred_username": account,
            "name": f"{account} of the test",
            "email": "a@b",
        }
        jwt = pytest.importorskip("joserfc.jwt")
        told = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        more = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": int(60 * self.minutes)}
        return {**more, "id_token": told, "scope": "openid profile"}


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    """Have a provider be asked over HTTP."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            if where.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.consent(dict(parse_qsl(where.query)), "ana"))
                self.end_headers()
                return
            found = {"/.well-known/openid-configuration": provider.metadata()}
            found["/keys"] = {"keys": [provider.key.as_dict(private=False)]}
            self._answer(found.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer(provider.token(dict(parse_qsl(body)), self.headers["authorization"]))

        def _answer(self, value: object) -> None:
            content = json.dumps(value or {"error": "invalid_grant"}).encode()
            self.send_response(200 if value else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()


@dataclass(frozen=True)
class Space:
    """A Space with the provider that its visitors sign in at."""

    server: Server
    provider: Provider


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    for package in ("authlib", "itsdangerous"):
        pytest.importorskip(package)
    keys = pytest.importorskip("joserfc.jwk")
    with serving(Provider(key=keys.RSAKey.generate_key(2048, auto_kid=True))) as provider:
        settings = {
            "SYSTEM": "spaces",
            "SPACE_ID": "someone/vt",
            "SPACE_HOST": HOST,
            "OAUTH_CLIENT_ID": CLIENT,
            "OAUTH_CLIENT_SECRET": SECRET,
            "OAUTH_SCOPES": "openid profile",
            "OPENID_PROVIDER_URL": provider.address,
            "LOG_LEVEL": "DEBUG",
        }
        with running(tmp_path_factory.mktemp("space"), APP, **settings) as server:
            yield Space(server, provider)


class Visitor:
    """A browser at the page of the Space: it keeps cookies, and what the page has it remember."""

    def __init__(self, space: Space) -> None:
        self.space, self.cookies, self.set = space, dict[str, str](), list[str]()
        self.memory: dict[str, Any] = {}
        self.config: dict[str, Any] = space.server.json("GET", "/config")

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own options)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "Cookie": cookie}
        headers |= more.pop("headers", {})
        answer = httpx.request(method, self.space.server.url + path, headers=headers, timeout=60, **more)
        for line in answer.headers.get_list("set-cookie"):
            self.set.append(line)
            for name, value in SimpleCookie(line).items():
                self.cookies[name] = value.value
                if value.value == "null" or "1970" in value["expires"]:
                    del self.cookies[name]
        return answer

    def followed(self, path: str) -> httpx.Response:
        """Ask for a path, and go where that leads within the Space."""
        answer = self.ask("GET", path)
        while answer.is_redirect:
            where = urlsplit(answer.headers["location"])
            assert where.netloc in ("", HOST)
            answer = self.ask("GET", f"{where.path}?{where.query}" if where.query else where.path)
        return answer

    def asked(self) -> dict[str, str]:
        """Begin a sign-in, and return what the provider is asked for."""
        answer = self.ask("GET", LOGIN)
        where = answer.headers["location"]
        assert where.startswith(f"{self.space.provider.address}/authorize?")
        return dict(parse_qsl(urlsplit(where).query))

    def sign_in(self, account: str) -> httpx.Response:
        """Sign in by an account; with none, refuse the consent."""
        back = urlsplit(self.space.provider.consent(self.asked(), account))
        assert (back.scheme, back.netloc) == ("https", HOST)
        return self.followed(f"{back.path}?{back.query}")

    def component(self, elem_id: str) -> int:
        (found,) = (one["id"] for one in self.config["components"] if one["props"].get("elem_id") == elem_id)
        return int(found)

    def call(self, elem_id: str, event: str, told: object = None, **given: Any) -> dict[int, Any]:  # noqa: ANN401
        """Call the page's function of an event, and return what it changes, by the component."""
        trigger = [self.component(elem_id), event]
        (function,) = (one for one in self.config["dependencies"] if trigger in one["targets"] and one["inputs"])
        values = {self.component(name.replace("_", "-")): value for name, value in given.items()}
        return self.run(function, {self.memory_id: self.memory, **values}, told)

    def run(self, function: dict[str, Any], given: dict[int, Any], told: object = None) -> dict[int, Any]:
        body = {"fn_index": function["id"], "session_hash": "browser", "event_data": told}
        body["data"] = [given.get(one) for one in function["inputs"]]
        answer = self.ask("POST", "/gradio_api/run/predict", json=body)
        changed = dict(zip(function["outputs"], answer.raise_for_status().json()["data"], strict=True))
        kept = changed.get(self.memory_id)
        if isinstance(kept, dict) and "jobs" in kept:
            self.memory = kept
        return changed

    @property
    def memory_id(self) -> int:
        return int(self.loading["inputs"][0])

    @property
    def loading(self) -> dict[str, Any]:
        """The page's function that fills it when it is loaded."""
        called = (one for one in self.config["dependencies"] if any(event == "load" for _, event in one["targets"]))
        (found,) = (one for one in called if one["inputs"])
        return dict(found)

    def load(self) -> dict[int, Any]:
        """Load the page."""
        return self.run(self.loading, {self.memory_id: self.memory})

    def listed(self) -> str:
        """Load the page, and return its list of films."""
        return str(self.load()[self.component("vt-yours")])

    def button(self) -> dict[str, Any]:
        found: dict[str, Any] = self.load()[self.component("vt-sign-in")]
        return found

    def dub(self) -> str:
        """Have the sample dubbed, and return the job's id."""
        (path,) = self.ask("POST", "/gradio_api/upload", files={"files": ("a.mp4", SAMPLE.read_bytes())}).json()
        film = [{"path": path, "meta": {"_type": "gradio.FileData"}}]
        changed = self.call("vt-start", "click", vt_film=film, vt_source="en", vt_target="es")
        assert self.memory["view"], changed[self.component("vt-start-trouble")]
        return str(self.memory["view"])


@pytest.fixture
def visitor(space: Space) -> Visitor:
    return Visitor(space)


def test_whoever_signs_in_finds_their_jobs_in_any_browser_and_nobody_else_does(space: Space) -> None:
    ana, elsewhere, ben, nobody = (Visitor(space) for _ in range(4))
    for one, account in ((ana, "ana"), (elsewhere, "ana"), (ben, "ben")):
        for visitor in (one, nobody):
            visitor.followed("/")
        assert one.sign_in(account).status_code == 200
    job = ana.dub()
    assert job in ana.listed()
    assert job in elsewhere.listed()
    assert job not in ben.listed()
    assert job not in nobody.listed()
    for other in (ben, nobody):  # as by the address of the page
        other.memory = {"jobs": [], "view": job}
        shown = other.load()
        assert job not in str(shown[other.component("vt-yours")])
        assert "belongs to an account" in str(shown[other.component("vt-lost")])
        assert other.memory == {"jobs": [], "view": ""}
    theirs = ben.dub()
    assert theirs not in ana.listed()
    own = nobody.dub()
    assert own in nobody.listed()
    assert space.server.json("GET", f"/api/v1/jobs/{own}")["state"] != "failed"


@pytest.mark.soak
def test_the_jobs_of_the_person_come_before_those_that_the_browser_knows(visitor: Visitor) -> None:
    visitor.followed("/")
    own = visitor.dub()
    visitor.sign_in("ana")
    theirs = visitor.dub()
    newer = visitor.memory | {"view": ""}
    assert newer["jobs"] == [own], "what belongs to the account is not kept by the browser"
    shown = visitor.listed()
    assert shown.index(theirs) < shown.index(own)


def test_who_signs_out_leaves_nothing_behind(visitor: Visitor) -> None:
    visitor.sign_in("ana")
    job = visitor.dub()
    assert "Sign out (ana)" in str(visitor.button())
    assert visitor.button()["link"] == LOGOUT
    assert visitor.followed(LOGOUT).status_code == 200
    assert "session" not in visitor.cookies
    assert visitor.button()["link"] == LOGIN
    assert job not in visitor.listed()
    assert visitor.memory == {"jobs": [], "view": ""}


@pytest.mark.soak
def test_a_removed_job_is_gone_from_the_list_at_once_and_comes_back_if_that_is_taken_back(visitor: Visitor) -> None:
    visitor.sign_in("ben")
    job = visitor.dub()
    visitor.call("vt-cancel", "click")
    shown = visitor.call("vt-remove", "click")
    assert job not in str(shown[visitor.component("vt-yours")])
    assert job in str(shown[visitor.component("vt-undo")])
    shown = visitor.call("vt-undo", "select", {"job": job})
    assert job in str(shown[visitor.component("vt-yours")])


def test_nothing_of_a_token_is_kept_by_browser_server_or_log(space: Space) -> None:
    visitor = Visitor(space)
    visitor.sign_in("ana")
    visitor.dub()
    session = [line for line in visitor.set if line.startswith("session=")]
    assert session
    for line in session:
        told = base64.b64decode(line.removeprefix("session=").split(".")[0] + "==").decode()
        assert TOKEN not in told
        assert "id_token" not in told
        assert "of the test" not in told
        assert {flag.strip().lower() for flag in line.split(";")} >= {"httponly", "secure", "samesite=none", "path=/"}
    seen = set()
    for folder, _, names in os.walk(space.server.folder):  # while jobs run there: what they remove is passed over
        for file in (Path(folder) / name for name in names):
            with suppress(FileNotFoundError):
                content = file.read_bytes()
                seen.add(file.name)
                assert not [it for it in (TOKEN, SECRET, PEOPLE["ana"], "of the test") if it.encode() in content], file
    assert seen >= {"app.log", "console.txt", "vt.db", "job.json"}


def test_a_session_that_is_made_up_or_changed_is_nobodys(space: Space) -> None:
    real = Visitor(space)
    real.sign_in("ana")
    job = real.dub()
    signed = real.cookies["session"]
    content, *rest = signed.split(".")
    info = json.loads(base64.b64decode(content + "=="))
    assert set(info["oauth_info"]) == {"userinfo", "expires_at"}
    info["oauth_info"]["userinfo"]["sub"] = PEOPLE["ben"]
    forged = base64.b64encode(json.dumps(info).encode()).decode()
    before, dot, mark = signed.rpartition(".")
    # Its first character: of the last one, base64 does not use two bits, and another one may mean the same bytes.
    remarked = before + dot + ("b" if mark[0] == "a" else "a") + mark[1:]
    for cookie in (".".join([forged, *rest]), forged, remarked, "null", "."):
        other = Visitor(space)
        other.cookies["session"] = cookie
        assert job not in other.listed()
        assert other.button()["link"] == LOGIN
    other = Visitor(space)
    other.cookies["session"] = signed
    assert job in other.listed()


def test_a_sign_in_ends_when_the_provider_says(space: Space) -> None:
    visitor = Visitor(space)
    space.provider.minutes = -1
    try:
        visitor.sign_in("ana")
    finally:
        space.provider.minutes = 480
    assert visitor.button()["link"] == LOGIN


def test_who_refuses_or_comes_with_a_made_up_code_is_back_at_the_page(visitor: Visitor) -> None:
    assert visitor.sign_in("").status_code == 200
    state = visitor.asked()["state"]
    for query in ({"state": state, "code": "made-up"}, {"error": "x"}, {"state": "of-another", "error": "x"}):
        assert visitor.ask("GET", f"/login/callback?{urlencode(query)}").headers["location"] == "/"
    assert visitor.button()["link"] == LOGIN


def test_a_code_of_another_browser_signs_nobody_in(space: Space) -> None:
    mine, theirs = Visitor(space), Visitor(space)
    back = urlsplit(space.provider.consent(mine.asked(), "ana"))
    answer = theirs.ask("GET", f"{back.path}?{back.query}")
    assert urlsplit(answer.headers["location"]).path == LOGIN
    assert theirs.button()["link"] == LOGIN


def test_a_browser_without_cookies_is_told_so_and_not_sent_round_and_round(visitor: Visitor) -> None:
    answer, rounds = visitor.ask("GET", LOGIN), 0
    while answer.is_redirect:
        visitor.cookies.clear()
        where = urlsplit(answer.headers["location"])
        back = visitor.space.provider.consent(dict(parse_qsl(where.query)), "ana") if where.port else where.geturl()
        rounds, path = rounds + 1, urlsplit(back)
        answer = visitor.ask("GET", f"{path.path}?{path.query}")
    assert (answer.status_code, rounds) == (422, 10)
    assert "keeps no cookies" in answer.json()["error"]


def test_an_address_leads_nowhere_but_to_the_page(visitor: Visitor) -> None:
    asked = urlsplit(visitor.ask("GET", f"{LOGIN}?_target_url=https://evil.example").headers["location"])
    (redirect,) = parse_qs(asked.query)["redirect_uri"]
    assert "evil" not in redirect
    assert visitor.ask("GET", f"{LOGOUT}?_target_url=//evil.example").headers["location"] == "/"
    assert visitor.ask("POST", LOGOUT).status_code == 405


def test_a_page_of_another_site_signs_nobody_out(visitor: Visitor) -> None:
    visitor.sign_in("ana")
    assert visitor.ask("GET", LOGOUT, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 415
    assert visitor.button()["link"] == LOGOUT


def test_there_is_no_list_of_jobs_for_others(visitor: Visitor) -> None:
    visitor.sign_in("ana")
    assert visitor.ask("GET", "/api/v1/jobs").status_code in (401, 403)


# Without a Space


def test_nobody_can_sign_in_where_it_is_no_space_or_its_readme_does_not_ask_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"OAUTH_CLIENT_ID": CLIENT, "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": "openid"}
    for name, value in {**given, "OPENID_PROVIDER_URL": "https://huggingface.co"}.items():
        monkeypatch.setattr(f"gradio.oauth.{name}", value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert not sign_in.is_offered()
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "someone/vt")
    assert sign_in.is_offered()
    monkeypatch.setattr("gradio.oauth.OAUTH_CLIENT_SECRET", None)
    assert not sign_in.is_offered()


def test_where_packages_are_missing_the_log_says_which(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"):
        monkeypatch.setattr(f"gradio.oauth.{name}", "known")
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "someone/vt")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not sign_in.is_offered()
    assert "authlib, itsdangerous): pip install 'authlib~=" in caplog.text


def scope(path: str, method: str = "GET", query: bytes = b"", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "http", "path": path, "method": method, "query_string": query, "headers": [], **more}


@pytest.mark.parametrize("made", [scope("/login/elsewhere"), scope(LOGIN, "POST"), scope(LOGOUT, "HEAD")], ids=str)
def test_what_no_browser_asks_is_refused(made: dict[str, Any]) -> None:
    with pytest.raises(BadCall):
        checked(made)


@pytest.mark.parametrize(
    ("path", "query", "kept"),
    [
        (LOGIN, b"_nb_redirects=1&_target_url=/%3Fa", b"_nb_redirects=1"),
        (LOGIN, b"_nb_redirects=many", b""),
        (LOGIN, b"_nb_redirects=%D9%A3", b""),
        (LOGOUT, b"_target_url=/x", b""),
        ("/login/callback", b"code=a%26b&state=c&_target_url=//x&iss=y", b"code=a%26b&state=c"),
    ],
)
def test_gradio_is_told_what_it_needs(path: str, query: bytes, kept: bytes) -> None:
    assert checked(scope(path, query=query))["query_string"] == kept


USER = {"sub": "1", "preferred_username": "ana"}


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"userinfo": USER},
        {"userinfo": USER, "expires_at": None},
        {"userinfo": USER, "expires_at": "never"},
        {"userinfo": USER, "expires_at": 1},
        {"userinfo": {}, "expires_at": 9e9},
        {"userinfo": None, "expires_at": 9e9},
        {"expires_at": 9e9},
    ],
    ids=str,
)
def test_a_session_that_names_nobody_or_never_ends_is_nobodys(info: dict[str, Any]) -> None:
    seen: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG001 (ASGI)
        seen.append(person_of(scope))

    async def nothing(*_: object) -> Any:  # noqa: ANN401 (ASGI)
        raise AssertionError

    asyncio.run(SignIn(app)(scope("/", session={"oauth_info": info}), nothing, nothing))
    assert seen == [None]


@pytest.mark.soak
def test_the_button_can_be_pressed(space: Space, browser: Browser) -> None:
    with browser.new_context(viewport={"width": 390, "height": 800}, locale="de") as context:
        page = context.new_page()
        page.goto(space.server.url)
        button = page.locator("#vt-sign-in")
        button.click(trial=True)
        expect(button).to_have_text("Mit Hugging Face anmelden")
        assert (button.get_attribute("href"), button.get_attribute("target")) == (LOGIN, "_blank")
