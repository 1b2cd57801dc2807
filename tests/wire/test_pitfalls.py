"""The pitfalls of Pyro5 5.17 that were measured before it was chosen: tested, or designed out.

Those from 14 on are tested in tests/wire/test_pitfalls_process.py.

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
28  a greenlet of each thread is kept     designed out: threads are known by number; tested
"""

import inspect
import json
import ssl
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from Pyro5 import serializers

from agent.wire.codec import encode
from agent.wire.contract import METHODS, LogAsk
from agent.wire.desk import Desk
from agent.wire.errors import OutcomeUnknown, RemoteCode, RemoteError
from agent.wire.harden import StrictJson
from tests.wire.fakes import CORDON, REPORT, START, FakeAgent
from tests.wire.pair import served
from tests.wire.pki import TestCa
from tests.wire.raw import (
    BATCH,
    COMPRESSED,
    EXCEPTION,
    KEEP,
    MARSHAL,
    ONEWAY,
    RESULT,
    STREAM,
    after_request,
    answer_of,
    call_of,
    frame,
    has_ended,
    hostile_agent,
    raw_coordinator,
)

LOG_CALL = call_of("log", encode(LogAsk()))


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
