import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from uvicorn.server import ServerState

from agent.enrol import ASK_EVERY_SECONDS
from agent.keys import HostKey
from agent.wire.first_contact import fetch_ca
from agent.wire.https import MOST_JSON, Https
from agent.wire.https_errors import BadAnswer, Refused, Unreachable, WrongServer
from agent.wire.tls import Role
from coordinator.fleet.ca import Authority
from coordinator.fleet.door import server_context
from coordinator.https import Http, configured, listen
from tests.trust.office import Clock, serving

DAY = 86400


class Server:
    """A few answers, and how many requests came."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def routes(self) -> list[Route]:
        answers = {
            "/fine": JSONResponse({"all": "well"}),
            "/long": Response(b"1" * (MOST_JSON + 1)),
            "/text": Response(b"<html>"),
            "/deep": Response(b"[" * 100_000),
            "/away": RedirectResponse("https://127.0.0.1:1/"),
            "/no": JSONResponse({"word": "held", "detail": "PC-01 is held"}, 409),
            "/bare": Response(b"", 500),
        }
        return [Route(path, self._say(answer)) for path, answer in answers.items()]

    def _say(self, answer: Response) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            self.heard.append(request.url.path)
            return answer

        return endpoint


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "ca")


@pytest.fixture
def https(tmp_path: Path, authority: Authority, server: Server) -> Iterator[Https]:
    pair = authority.issue_coordinator(tmp_path)
    with (
        serving(server.routes(), server_context(pair)) as address,
        Https(address, tmp_path / "ca" / "ca.pem", {"Authorization": "Bearer x"}) as https,
    ):
        yield https


def test_an_answer_comes_over_tls_1_3_and_one_connection_serves_many(https: Https) -> None:
    assert [https.get_json("/fine") for _ in range(3)] == [{"all": "well"}] * 3


def test_threads_may_share_it(https: Https) -> None:
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(https.get_json("/fine"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"all": "well"}] * 8


@pytest.mark.parametrize("path", ["/long", "/text", "/deep"])
def test_an_answer_that_is_too_long_or_not_json_is_none(https: Https, path: str) -> None:
    with pytest.raises(BadAnswer):
        https.get_json(path)


def test_a_redirection_is_not_followed(https: Https) -> None:
    with pytest.raises(Refused) as refused:
        https.get_json("/away")
    assert refused.value.status == 307


def test_a_refusal_says_why_for_people_and_for_programs(https: Https) -> None:
    with pytest.raises(Refused, match="PC-01 is held") as refused:
        https.get_json("/no")
    assert (refused.value.status, refused.value.word) == (409, "held")
    with pytest.raises(Refused, match="answered 500"):
        https.get_json("/bare")


def test_another_role_is_refused_before_anything_is_sent(
    https: Https, tmp_path: Path, server: Server
) -> None:
    with (
        Https(https.address, tmp_path / "ca" / "ca.pem", role=Role.AGENT) as other,
        pytest.raises(WrongServer, match="is not our coordinator"),
    ):
        other.get_json("/fine")
    assert server.heard == []


def test_a_server_of_another_ca_is_refused_before_anything_is_sent(
    https: Https, tmp_path: Path, server: Server
) -> None:
    Authority.open(tmp_path / "other")
    with (
        Https(https.address, tmp_path / "other" / "ca.pem") as other,
        pytest.raises(WrongServer, match="cannot trust the server"),
    ):
        other.get_json("/fine")
    assert server.heard == []


@pytest.mark.parametrize("days", [-100, 2])
def test_an_expired_or_future_certificate_points_at_the_clock(
    tmp_path: Path, authority: Authority, server: Server, days: int
) -> None:
    then = Authority.open(tmp_path / "ca", Clock(days * DAY))
    pair = then.issue_coordinator(tmp_path / "then")
    with (
        serving(server.routes(), server_context(pair)) as address,
        Https(address, tmp_path / "ca" / "ca.pem") as https,
        pytest.raises(WrongServer, match="check the date and time of this computer"),
    ):
        https.get_json("/fine")


def test_a_certificate_a_day_old_serves_a_clock_that_is_slow_by_a_day(
    tmp_path: Path, authority: Authority, server: Server
) -> None:
    ahead = Authority.open(tmp_path / "ca", Clock(DAY - 60))
    pair = ahead.issue_coordinator(tmp_path / "then")
    with (
        serving(server.routes(), server_context(pair)) as address,
        Https(address, tmp_path / "ca" / "ca.pem") as https,
    ):
        assert https.get_json("/fine")


def test_an_agents_certificate_does_not_make_a_server(
    tmp_path: Path, authority: Authority, server: Server
) -> None:
    pair = authority.issue_coordinator(tmp_path)
    key = HostKey.open(tmp_path / "key.pem")
    (tmp_path / "agent.pem").write_text(authority.sign_csr(key.request(), "main"))
    stolen = replace(pair, key=tmp_path / "key.pem", certificate=tmp_path / "agent.pem")
    with (
        serving(server.routes(), server_context(stolen)) as address,
        Https(address, tmp_path / "ca" / "ca.pem") as https,
        pytest.raises(WrongServer),
    ):
        https.get_json("/fine")
    assert server.heard == []


def test_tls_1_2_is_not_spoken(tmp_path: Path, authority: Authority, server: Server) -> None:
    pair = authority.issue_coordinator(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(pair.certificate, pair.key)
    with (
        serving(server.routes(), old) as address,
        Https(address, tmp_path / "ca" / "ca.pem") as https,
        pytest.raises(Unreachable),
    ):
        https.get_json("/fine")


def test_a_silent_server_is_not_waited_for(tmp_path: Path, authority: Authority) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Https(address_of(silent), tmp_path / "ca" / "ca.pem", seconds=0.2) as https,
        pytest.raises(Unreachable, match="cannot reach the coordinator"),
    ):
        https.get_json("/fine")


def test_the_ca_of_a_first_contact_must_have_the_fingerprint(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue_coordinator(tmp_path)
    ca = Response(authority.certificate_pem)
    with serving([Route("/ca.pem", lambda _: ca)], server_context(pair)) as address:
        assert fetch_ca(address, authority.fingerprint) == authority.certificate_pem
        with pytest.raises(WrongServer, match="another fingerprint"):
            fetch_ca(address, "0" * 64)


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff" * 50_000])
def test_a_first_contact_that_is_no_coordinator_says_so(
    tmp_path: Path, authority: Authority, body: bytes
) -> None:
    pair = authority.issue_coordinator(tmp_path)
    answer = Response(body)
    with (
        serving([Route("/ca.pem", lambda _: answer)], server_context(pair)) as address,
        pytest.raises(BadAnswer, match="check the address"),
    ):
        fetch_ca(address, authority.fingerprint)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:0", "host:99999", ":7702"])
def test_an_address_that_is_none_is_told_so(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Https(address, tmp_path)


def test_a_server_that_hangs_up_is_unreachable(tmp_path: Path, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        rude = threading.Thread(target=hang_up, args=[listener])
        rude.start()
        with (
            Https(address_of(listener), tmp_path / "ca" / "ca.pem") as https,
            pytest.raises(Unreachable, match="cannot reach the coordinator"),
        ):
            https.get_json("/fine")
        rude.join()


def hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()


def address_of(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_what_the_coordinator_writes_goes_out_at_once() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as line,
    ):
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_connection_that_broke_in_an_answer_is_no_error_at_the_end() -> None:
    closed = threading.Event()

    class Transport(asyncio.Transport):
        def close(self) -> None:
            closed.set()

        def get_extra_info(self, name: str, default: object = None) -> object:
            return default

    async def break_and_end() -> None:
        config = configured(Starlette(), ssl.create_default_context(), grace=1)
        config.load()
        http = Http(config, ServerState(), {})
        http.connection_made(Transport())
        http.conn.send_failed()
        http.shutdown()

    asyncio.run(break_and_end())
    assert closed.is_set()


def test_who_waits_to_be_let_in_asks_again_while_its_connection_is_kept() -> None:
    config = configured(Starlette(), ssl.create_default_context(), grace=1)
    assert config.timeout_keep_alive > ASK_EVERY_SECONDS
