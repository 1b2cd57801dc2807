"""The pitfalls of Pyro5 that lie in the process or in TLS: 14 to 28 of test_pitfalls.py."""

import inspect
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import Pyro5
import pytest
from Pyro5 import client, config, protocol, serializers, server, svr_existingconn
from Pyro5.errors import SerializeError

from agent.uplink_status import LineState
from agent.wire.codec import decode, encode
from agent.wire.contract import HelloAsk, LogAsk, LogPage, Sight
from agent.wire.desk import Desk
from agent.wire.errors import LinkLost, LinkRefusal, OutcomeUnknown
from agent.wire.harden import MESSAGE_CAP, StrictJson
from agent.wire.tls import Side, dial, make_context
from coordinator.fleet.hub import HubOptions
from coordinator.fleet.listener import Listener
from tests.until import until
from tests.wire.fakes import CORDON, FakeAgent
from tests.wire.pair import office, served
from tests.wire.pki import DAY, Leaf, TestCa
from tests.wire.raw import (
    JSON,
    MARSHAL,
    PING,
    after_request,
    call_of,
    frame,
    has_ended,
    hostile_agent,
    raw_coordinator,
)

ROOT = Path(__file__).parents[2]
OPTIONS = HubOptions("0.1.0", ping_every=60)
LOG_CALL = call_of("log", encode(LogAsk()))


@pytest.mark.parametrize(
    "variables",
    [{"PYRO_FOO": "1"}, {"PYRO_SERIALIZER": "marshal", "PYRO_MAX_RETRIES": "5"},
     {"PYRO_LOGLEVEL": "DEBUG", "PYRO_LOGFILE": "{stderr}"}, {"PYRO_DETAILED_TRACEBACK": "1"}],
)  # fmt: skip
def test_14_variables_of_the_environment_change_nothing(variables: dict[str, str]) -> None:
    code = (
        "import logging, agent.wire.link; from Pyro5 import config;"
        "assert not logging.root.handlers;"
        "print(config.SERIALIZER, config.MAX_RETRIES, config.DETAILED_TRACEBACK)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("json 0 False", "")


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), float("nan")])
def test_15_only_json_values_are_sent(value: object) -> None:
    with pytest.raises((SerializeError, TypeError, ValueError)):
        StrictJson().dumps({"value": value})


def test_15_a_tuple_comes_back_as_a_tuple() -> None:
    page = LogPage(("one", "two"), 2)
    assert decode(LogPage, StrictJson().loads(StrictJson().dumps(encode(page)))) == page


def test_16_both_links_of_an_agent_reach_the_same_object(ca: TestCa) -> None:
    agent = FakeAgent()
    for _ in range(2):
        with served(ca, agent) as linked:
            linked.link.call("log", LogAsk(), 5)
            assert not inspect.isclass(linked.daemon.objectsById["agent"])
    assert len(agent.asked) == 2


def test_17_nothing_is_registered(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        assert list(linked.daemon.objectsById) == ["agent"]
        assert not hasattr(agent, "_pyroId")
        assert not hasattr(Desk, "_pyroId")


def test_18_only_the_idle_time_of_the_link_ends_it(ca: TestCa) -> None:
    assert config.COMMTIMEOUT == 0
    with served(ca, FakeAgent(), idle_seconds=0.1) as linked:
        assert linked.ending().refusal is None


def test_19_a_port_that_is_taken_is_said(ca: TestCa) -> None:
    told = pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*in use")
    with socket.create_server(("127.0.0.1", 0)) as taken, told:
        Listener(taken.getsockname(), ssl.create_default_context(), _none, _never)


def _none(*_args: object) -> None:
    raise AssertionError


def _never(_identity: object) -> bool:
    return False


@pytest.mark.parametrize(
    "fault", [b"GET / HTTP/1.1\r\n\r\n" * 5, frame(b"", size=3 * 2**30), frame(b"", kind=5),
              frame(b"", tag=b"PYR0"), frame(b"", version=0), frame(b"x", kind=PING, flags=2)],
    ids=["not-pyro", "three-gigabytes", "other-kind", "other-tag", "other-version", "odd-ping"],
)  # fmt: skip
def test_21_after_a_fault_nothing_more_is_answered(ca: TestCa, fault: bytes) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(fault + frame(LOG_CALL))
        assert has_ended(link)
    assert not agent.asked


def test_22_an_ended_link_stays_ended_and_is_closed(ca: TestCa) -> None:
    with hostile_agent(ca, after_request()) as link:
        with pytest.raises(OutcomeUnknown):
            link.call("cordon", CORDON, 0.1)
        for _ in range(2):
            with pytest.raises(LinkLost):
                link.call("cordon", CORDON, 5)
            with pytest.raises(LinkLost):
                link.ping(5)
        assert link._connection.sock.fileno() == -1


def test_23_a_refused_certificate_is_told_from_a_lost_link(ca: TestCa) -> None:
    expired = ca.issue(Leaf(("urn:roundsman:agent:pc-03",), -9 * DAY, -DAY))
    with office(ca, OPTIONS) as here:
        refused = here.agent("pc-03", FakeAgent(), expired)
        fine = here.linked_agent("pc-04", FakeAgent())
        until(lambda: refused.standings()[0].state is LineState.REFUSED)
        assert refused.standings()[0].refusal is LinkRefusal.CERTIFICATE
        here.listener.close()
        here.hub.drop("pc-04")
        until(lambda: fine.standings()[0].state is LineState.LOST)


def test_24_who_is_refused_sees_the_end_of_the_link(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        context = make_context(Side.CLIENT, ca.coordinator("intruder"))
        with dial(("127.0.0.1", here.listener.port), context, 5) as link:
            assert has_ended(link)


def test_25_links_that_stand_do_not_count_against_their_address(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        for number in range(12):  # more than one address may have handshakes
            here.linked_agent(f"pc-{number:02}", FakeAgent())
        assert len(here.hub.linked()) == 12


def test_26_the_names_of_pyro5_that_we_lean_on_are_what_they_were() -> None:
    assert Pyro5.__version__.startswith("5.17")
    assert list(inspect.signature(client.Proxy._pyroInvoke).parameters) == [
        "self", "methodname", "vargs", "kwargs", "flags", "objectId",
    ]  # fmt: skip
    assert "= get_ident()" in inspect.getsource(client.Proxy._pyroClaimOwnership)
    assert "_pyroRawWireResponse" in client.Proxy._Proxy__pyroAttributes
    assert "_pyroConnection" in client.Proxy._Proxy__pyroAttributes
    assert callable(protocol.ReceivingMessage.add_payload)
    assert "ReceivingMessage(header)" in inspect.getsource(protocol.recv_stub)
    assert "exc.pyroMsg = msg" in inspect.getsource(protocol.recv_stub)
    assert callable(server.Daemon.handleRequest)
    assert "self.methodcall_error_handler(self, " in inspect.getsource(server.Daemon)
    assert "connected_socket" in inspect.signature(server.Daemon).parameters
    assert "self.conn = " in inspect.getsource(svr_existingconn)
    assert serializers.JsonSerializer.serializer_id == JSON
    assert serializers.MarshalSerializer.serializer_id == MARSHAL


def test_27_the_configuration_is_what_was_set_once() -> None:
    assert config.SERIALIZER == "json"
    assert config.MAX_MESSAGE_SIZE == MESSAGE_CAP == 256 * 1024
    assert config.MAX_RETRIES == 0
    off = [config.SSL, config.ITER_STREAMING, config.COMPRESSION, config.DETAILED_TRACEBACK]
    assert not any(off)


def test_27_only_one_module_sets_the_configuration() -> None:
    sources = [*ROOT.glob("agent/**/*.py"), *ROOT.glob("coordinator/**/*.py")]
    setting = re.compile(r"Pyro5 import .*\bconfig\b")
    using = [path for path in sources if setting.search(path.read_text("utf-8"))]
    assert [path.relative_to(ROOT).as_posix() for path in using] == ["agent/wire/harden.py"]
    assert not hasattr(Sight, "_pyroId")
    assert HelloAsk(1, "").protocol == 1


def test_28_a_link_keeps_no_greenlet_of_a_thread_that_used_it() -> None:
    proxy = client.Proxy("PYRO:agent@link:0")
    proxy._pyroClaimOwnership()
    assert proxy._Proxy__pyroOwnerThread == threading.get_ident()
