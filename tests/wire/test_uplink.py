"""An agent finds its way back to its coordinators, without hurry and without end."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agent.uplink import Backoff, Uplink, UplinkOptions, parse_address
from agent.uplink_status import (
    REFUSALS,
    LineStanding,
    LineState,
    UplinkStatus,
    read_status,
    write_status,
)
from agent.wire.errors import LinkRefusal
from agent.wire.tls import Credentials, Side, make_context
from coordinator.fleet.hub import HubOptions
from tests.until import until
from tests.wire.fakes import CORDON, FakeAgent
from tests.wire.pair import QUICK, Office, office
from tests.wire.pki import TestCa

OPTIONS = HubOptions("0.1.0", ping_every=60)


def address_of(here: Office) -> str:
    return f"127.0.0.1:{here.listener.port}"


def test_a_lost_link_is_dialed_again(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-03", FakeAgent())
        first = here.hub.standings()["pc-03"].since
        here.hub.drop("pc-03", "cut")
        until(lambda: "pc-03" in here.hub.linked())
        assert here.hub.standings()["pc-03"].since != first
        assert here.hub.call("pc-03", "cordon", CORDON, 5).guarded


def test_a_link_on_which_no_ping_comes_is_dialed_again(ca: TestCa) -> None:
    """As after sleep, or with another address: the old line is silent."""
    with office(ca, OPTIONS) as here:
        api = FakeAgent()
        options = UplinkOptions(idle_seconds=0.2, after_loss=QUICK.after_loss)
        uplink = Uplink([address_of(here)], ca.agent("pc-03"), api, options)
        here.uplinks.append(uplink)
        uplink.start()
        until(lambda: [method for method, _ in api.asked].count("hello") > 2)


def test_every_coordinator_of_the_list_is_linked(ca: TestCa) -> None:
    with office(ca, OPTIONS) as one, office(ca, OPTIONS) as other:
        both = [address_of(one), address_of(other)]
        uplink = Uplink(both, ca.agent("pc-03"), FakeAgent(), QUICK)
        uplink.start()
        until(lambda: one.hub.linked() and other.hub.linked())
        until(lambda: {line.state for line in uplink.standings()} == {LineState.LINKED})
        uplink.stop()
        assert [line.address for line in uplink.standings()] == both
        assert {line.state for line in uplink.standings()} == {LineState.STOPPED}


def test_a_coordinator_that_is_away_is_lost_and_not_a_refusal(ca: TestCa) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    uplink = Uplink([f"127.0.0.1:{port}"], ca.agent("pc-03"), FakeAgent(), QUICK)
    uplink.start()
    until(lambda: uplink.standings()[0].state is LineState.LOST)
    assert uplink.standings()[0].refusal is None
    uplink.stop()


@pytest.mark.parametrize("shown", ["another CA", "an agent's certificate"])
def test_who_only_stands_at_its_address_keeps_an_agent_away_for_seconds(
    ca: TestCa, tmp_path: Path, shown: str
) -> None:
    """It is refused at once, as it is not proven to be the coordinator; so it is dialed again."""
    other = TestCa(tmp_path, "another CA")
    stranger = other.coordinator() if shown == "another CA" else ca.agent("pc-04")
    patient = UplinkOptions(after_refusal=Backoff(3600, 3600))
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        context = make_context(Side.SERVER, stranger)
        uplink = Uplink([f"127.0.0.1:{port}"], ca.agent("pc-03"), FakeAgent(), patient)
        uplink.start()
        raw, _ = held.accept()
        with suppress(OSError), context.wrap_socket(raw, server_side=True) as line:
            assert line.recv(1) == b""
        until(lambda: uplink.standings()[0].state is LineState.REFUSED)
    try:
        with office(ca, OPTIONS, port=port) as here:
            until(lambda: "pc-03" in here.hub.linked(), 20)
    finally:
        uplink.stop()


def test_a_coordinator_that_comes_later_is_found(ca: TestCa) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    uplink = Uplink([f"127.0.0.1:{port}"], ca.agent("pc-03"), FakeAgent(), QUICK)
    uplink.start()
    until(lambda: uplink.standings()[0].state is LineState.LOST)
    with office(ca, OPTIONS, port=port) as here:
        until(here.hub.linked)
        uplink.stop()


def test_missing_files_are_said_and_do_not_end_the_line(ca: TestCa, tmp_path: Path) -> None:
    absent = tmp_path / "key.pem"
    uplink = Uplink(["127.0.0.1:1"], Credentials(absent, absent, absent), FakeAgent(), QUICK)
    uplink.start()
    until(lambda: uplink.standings()[0].state is LineState.LOST)
    assert "No such file" in uplink.standings()[0].message
    uplink.stop()


def test_a_renewed_certificate_is_used_at_the_next_dial(ca: TestCa, tmp_path: Path) -> None:
    own = Credentials(tmp_path / "key.pem", tmp_path / "cert.pem", ca.certificate)
    put(ca.agent("pc-03"), own)
    with office(ca, OPTIONS) as here:
        uplink = here.agent("", FakeAgent(), own)
        until(lambda: here.hub.linked() == {"pc-03"})
        put(ca.agent("pc-04"), own)
        uplink.redial()
        until(lambda: "pc-04" in here.hub.linked())


def put(fresh: Credentials, own: Credentials) -> None:
    own.key.write_bytes(fresh.key.read_bytes())
    own.certificate.write_bytes(fresh.certificate.read_bytes())


def test_a_defect_of_the_agent_does_not_end_the_line(ca: TestCa) -> None:
    class Broken(FakeAgent):
        def __getattribute__(self, name: str) -> object:
            if name == "cordon":
                raise RuntimeError("a defect")
            return super().__getattribute__(name)

    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-03", Broken())
        answers = here.hub.call_all({"pc-03": CORDON}, "cordon", 5)
        assert "internal: RuntimeError" in str(answers["pc-03"])
        assert here.hub.linked() == {"pc-03"}


def test_whatever_goes_wrong_while_dialing_the_line_goes_on(
    ca: TestCa, caplog: pytest.LogCaptureFixture
) -> None:
    uplink = Uplink(["upd..example:7701"], ca.agent("pc-03"), FakeAgent(), QUICK)
    uplink.start()
    until(lambda: caplog.text.count("fault in the uplink") > 1)
    assert uplink.standings()[0].state is LineState.LOST
    uplink.stop()


def test_stopping_ends_the_threads_whatever_they_do(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here, socket.create_server(("127.0.0.1", 0)) as silent:
        lines = [address_of(here), f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:1"]
        options = UplinkOptions(dial_seconds=0.5, after_loss=Backoff(60, 60))
        uplink = Uplink(lines, ca.agent("pc-03"), FakeAgent(), options)
        uplink.start()
        until(here.hub.linked)
        uplink.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("uplink")]


def test_an_uplink_that_was_never_started_can_be_stopped(ca: TestCa) -> None:
    Uplink(["127.0.0.1:1"], ca.agent("pc-03"), FakeAgent(), QUICK).stop()


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.5:7701", ("10.0.0.5", 7701)), ("upd.example.lan:1", ("upd.example.lan", 1)),
     ("[fe80::1]:7701", ("fe80::1", 7701))],
)  # fmt: skip
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", ":7701", "host", "host:", "host:0", "host:65536", "host:x", "host:-1", "host:1²"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot use .* as an address: write host:port"):
        parse_address(text)


def test_waits_grow_to_a_limit_and_are_spread() -> None:
    backoff = Backoff(1.0, 15.0)
    assert [backoff.limit(n) for n in (0, 1, 2, 3, 4, 400)] == [1, 2, 4, 8, 15, 15]
    drawn = [backoff.draw(3) for _ in range(200)]
    assert 0 <= min(drawn) < 2
    assert 6 < max(drawn) <= 8


def test_every_refusal_has_a_sentence_that_says_what_to_do() -> None:
    assert set(REFUSALS) == set(LinkRefusal)


@pytest.mark.parametrize("content", ["", "[]", '{"lines": 7}', '{"lines": [{"address": 1}]}'])
def test_a_status_that_is_none_is_a_value_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "links.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r".+"):
        read_status(file)


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    line = LineStanding("10.0.0.5:7701", LineState.REFUSED, 5.0, LinkRefusal.CLONE, "why")
    write_status(tmp_path / "links.json", UplinkStatus((line,)))
    assert read_status(tmp_path / "links.json").lines == (line,)


def test_a_status_that_cannot_be_written_does_not_end_the_line(ca: TestCa, tmp_path: Path) -> None:
    (tmp_path / "links.json").mkdir()
    with office(ca, OPTIONS) as here:
        options = UplinkOptions(status_file=tmp_path / "links.json")
        uplink = Uplink([address_of(here)], ca.agent("pc-03"), FakeAgent(), options)
        here.uplinks.append(uplink)
        uplink.start()
        until(here.hub.linked)
