"""The pitfalls of Pyro5 5.17 that were measured before it was chosen: tested, or designed out.

 1  a retry runs the call again           tested
 2  its timeout is per read               tested: one deadline over the whole call
 3  a timeout does not cancel             tested: ask again by step id; `cancel` is a method
 4  an answer may be `SystemExit`         tested: no class is ever built from an answer
 5  a handler's `SystemExit`              tested: a code, the link lives
 6  decompression without limit           tested: the flag ends the link
 7  marshal at the sender's choice        tested: no serializer but ours is left
 8  exceptions of our own                 tested: one error, with a code
 9  tracebacks that travel                tested: neither path nor text is on the wire
10  exposed by accident                   tested: the names are pinned
11  oneway                                tested: the flag ends the link
12  one thread owns a proxy               tested: any thread may call
13  Pyro5's own object                    tested: it is not there
14  `PYRO_*` variables                    tested, in a fresh interpreter
15  bytes, tuples and sets change         tested: JSON values only, the codec restores tuples
16  an object a session                   tested: one object, shared
17  `register` marks types for proxies    tested: nothing is registered
18  its timeout drops idle links          tested: it is off, the idle time is the link's own
19  SO_REUSEADDR on Windows               designed out in `coordinator/fleet/listener.py`; the
                                          port that is taken is tested here
20  binding and shutting down its server  designed out: `Listener` is ours (tests/wire/
                                          test_listener.py), Pyro5's server is never started
21  its loop reads on after a fault       tested: the first fault ends the link
22  a failed proxy reconnects             tested: an ended link stays ended, and is closed
23  TLS 1.3 shows a refusal late          tested: told from a lost link
24  the raw socket is detached            tested: who is refused sees the end
25  the cap of one address                tested: handshakes count, links do not
26  private names                         tested: each still is what we lean on
27  one configuration for the process     tested: set once, by `agent/wire/harden.py` only
"""

import inspect
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import Pyro5
import pytest
from Pyro5 import client, config, protocol, serializers, server, svr_existingconn
from Pyro5.errors import SerializeError

from agent.uplink_status import LineState
from agent.wire.codec import decode, encode
from agent.wire.contract import METHODS, HelloAsk, LogAsk, LogPage, Sight
from agent.wire.desk import Desk
from agent.wire.errors import LinkLost, LinkRefusal, OutcomeUnknown, RemoteCode, RemoteError
from agent.wire.harden import MESSAGE_CAP, StrictJson
from agent.wire.link import LinkDaemon
from agent.wire.tls import Side, dial, make_context
from coordinator.fleet.hub import HubOptions
from coordinator.fleet.listener import Listener
from tests.until import until
from tests.wire.fakes import CORDON, REPORT, START, FakeAgent
from tests.wire.pair import office, served, tls_pair
from tests.wire.pki import DAY, Leaf, TestCa
from tests.wire.raw import (
    BATCH,
    COMPRESSED,
    EXCEPTION,
    JSON,
    KEEP,
    MARSHAL,
    ONEWAY,
    PING,
    RESULT,
    STREAM,
    after_request,
    answer_of,
    call_of,
    frame,
    has_ended,
    hostile_agent,
)

ROOT = Path(__file__).parents[2]
LOG_CALL = call_of("log", encode(LogAsk()))
OPTIONS = HubOptions("0.1.0", ping_every=60)


@contextmanager
def raw_coordinator(ca: TestCa, api: FakeAgent) -> Iterator[ssl.SSLSocket]:
    """Yield the socket of a coordinator that says what it likes to a served agent."""
    with tls_pair(ca) as ends:
        daemon = LinkDaemon(ends.agent, api)
        thread = threading.Thread(target=daemon.serve)
        thread.start()
        ends.coordinator.settimeout(10)
        yield ends.coordinator
        daemon.cut()
        thread.join(10)


class OwnError(Exception):
    """A class that the other end does not know."""


def failing(error: BaseException) -> FakeAgent:
    def fail(_ask: object) -> object:
        raise error

    agent = FakeAgent()
    agent.on["log"] = fail
    return agent


def test_01_a_call_without_an_answer_is_not_run_again(ca: TestCa) -> None:
    agent, hold = FakeAgent(), threading.Event()
    agent.on["start"] = lambda order: hold.wait(10) and FakeAgent().start(order)
    with served(ca, agent) as linked:
        with pytest.raises(OutcomeUnknown):
            linked.link.call("start", START, 0.2)
        hold.set()
        linked.ending()
    assert [method for method, _ in agent.asked] == ["start"]


def test_02_an_agent_that_drips_does_not_move_the_deadline(ca: TestCa) -> None:
    stop = threading.Event()

    def drip(link: ssl.SSLSocket) -> None:
        answer_of(link)
        for byte in frame(b" " * 200_000, RESULT):
            link.sendall(bytes([byte]))
            if stop.wait(0.02):
                return

    with hostile_agent(ca, drip) as link:
        with pytest.raises(OutcomeUnknown, match="deadline"):
            link.call("cordon", CORDON, 0.3)
        stop.set()


def test_03_what_ran_after_the_deadline_is_heard_of_over_the_next_link(ca: TestCa) -> None:
    agent, hold = FakeAgent(), threading.Event()
    agent.on["start"] = lambda order: hold.wait(10) and FakeAgent().start(order)
    with served(ca, agent) as linked:
        with pytest.raises(OutcomeUnknown):
            linked.link.call("start", START, 0.2)
        hold.set()
    with served(ca, agent) as linked:
        assert linked.link.call("report", REPORT, 5).state == "done"
    assert "cancel" in METHODS


@pytest.mark.parametrize("name", ["builtins.SystemExit", "builtins.KeyboardInterrupt", "x.Own"])
def test_04_an_answer_never_becomes_an_exception_of_its_choice(ca: TestCa, name: str) -> None:
    raised = {"__class__": name, "__exception__": True, "args": [1], "attributes": {}}
    answer = frame(json.dumps(raised).encode(), RESULT, flags=EXCEPTION)
    with hostile_agent(ca, after_request(answer)) as link, pytest.raises(OutcomeUnknown):
        link.call("cordon", CORDON, 5)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_05_a_handler_that_wants_to_exit_does_not(ca: TestCa, error: BaseException) -> None:
    with served(ca, failing(error)) as linked:
        with pytest.raises(RemoteError) as caught:
            linked.link.call("log", LogAsk(), 5)
        assert caught.value.code is RemoteCode.INTERNAL
        linked.link.ping(5)


def test_06_a_compressed_message_ends_the_link_before_it_grows(ca: TestCa) -> None:
    bomb = frame(zlib.compress(bytes(50_000_000)), flags=COMPRESSED)
    with raw_coordinator(ca, FakeAgent()) as link:
        link.sendall(bomb)
        assert has_ended(link)


def test_06_a_compressed_answer_ends_the_link(ca: TestCa) -> None:
    answer = frame(zlib.compress(b"{}"), RESULT, flags=COMPRESSED)
    with hostile_agent(ca, after_request(answer)) as link, pytest.raises(OutcomeUnknown):
        link.call("cordon", CORDON, 5)


@pytest.mark.parametrize("serializer", [0, 1, MARSHAL, 4, 42, 255])
def test_07_no_other_serializer_is_taken(ca: TestCa, serializer: int) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(frame(LOG_CALL, serializer=serializer))
        assert has_ended(link)
    assert not agent.asked


def test_07_no_other_serializer_is_left() -> None:
    assert {type(s) for s in serializers.serializers.values()} == {StrictJson}
    assert {type(s) for s in serializers.serializers_by_id.values()} == {StrictJson}


@pytest.mark.parametrize("flag", [KEEP, BATCH, STREAM, 1 << 7, 1 << 15])
def test_07_no_flag_that_asks_for_more_is_taken(ca: TestCa, flag: int) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(frame(LOG_CALL, flags=flag))
        assert has_ended(link)
    assert not agent.asked


def test_07_annotations_end_the_link(ca: TestCa) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(frame(LOG_CALL, annotations=b"BLBI\x00\x00\x00\x01x"))
        assert has_ended(link)
    assert not agent.asked


@pytest.mark.parametrize("error", [OwnError("a secret"), OSError(2, "no", "/etc/secret")])
def test_08_an_exception_of_a_handler_is_one_error_with_a_code(
    ca: TestCa, error: Exception
) -> None:
    with served(ca, failing(error)) as linked:
        with pytest.raises(RemoteError) as caught:
            linked.link.call("log", LogAsk(), 5)
        assert caught.value.code is RemoteCode.INTERNAL
        assert caught.value.detail == type(error).__name__
        linked.link.ping(5)


def test_09_neither_text_nor_path_of_an_exception_is_on_the_wire(
    ca: TestCa, caplog: pytest.LogCaptureFixture
) -> None:
    with raw_coordinator(ca, failing(OwnError("a secret"))) as link:
        link.sendall(frame(LOG_CALL))
        assert answer_of(link) == (RESULT, EXCEPTION, {"code": "internal", "detail": "OwnError"})
    assert "a secret" in caplog.text  # the trace is in the agent's own log


def test_10_the_contracts_methods_are_exposed_and_nothing_else(ca: TestCa) -> None:
    members = inspect.getmembers(Desk)
    exposed = {name for name, member in members if hasattr(member, "_pyroExposed")}
    assert exposed == set(METHODS)


@pytest.mark.parametrize(
    "method", ["_answer", "__init__", "__class__", "__getattr__", "__setattr__", "api", "", "_api"]
)
def test_10_no_other_name_can_be_reached(ca: TestCa, method: str) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(frame(call_of(method, "_api", {})))
        _, flags, fault = answer_of(link)
        assert flags == EXCEPTION
        assert fault["code"] == "internal"
    assert not agent.asked


def test_11_a_oneway_call_ends_the_link_and_runs_nothing(ca: TestCa) -> None:
    agent = FakeAgent()
    with raw_coordinator(ca, agent) as link:
        link.sendall(frame(LOG_CALL, flags=ONEWAY))
        assert has_ended(link)
    assert not agent.asked


def test_12_any_thread_may_call(ca: TestCa) -> None:
    with served(ca, FakeAgent()) as linked:
        for _ in range(3):
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(linked.link.call, "cordon", CORDON, 5).result().guarded


@pytest.mark.parametrize("method", ["registered", "info", "get_metadata", "ping", "log"])
def test_13_pyros_own_object_is_not_there(ca: TestCa, method: str) -> None:
    with raw_coordinator(ca, FakeAgent()) as link:
        link.sendall(frame(call_of(method, obj="Pyro.Daemon")))
        assert answer_of(link)[1:] == (EXCEPTION, {"code": "internal", "detail": "DaemonError"})


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
    assert callable(client.Proxy._pyroClaimOwnership)
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
    using = [path for path in sources if "Pyro5 import config" in path.read_text("utf-8")]
    assert [path.relative_to(ROOT).as_posix() for path in using] == ["agent/wire/harden.py"]
    assert not hasattr(Sight, "_pyroId")
    assert HelloAsk(1, "").protocol == 1
