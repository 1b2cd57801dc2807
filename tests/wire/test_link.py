"""One link over real TLS: what is asked is answered, and every fault ends the link cleanly."""

import dataclasses
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.wire.codec import decode
from agent.wire.contract import (
    METHODS,
    PROTOCOL,
    HelloAsk,
    LogAsk,
    LogPage,
    Sight,
    StepParams,
)
from agent.wire.errors import (
    LinkBusy,
    LinkError,
    LinkLost,
    LinkRefusal,
    OutcomeUnknown,
    RemoteCode,
    RemoteError,
)
from agent.wire.harden import MESSAGE_CAP
from agent.wire.link import AgentLink
from agent.wire.tls import Role, check_peer
from tests.until import until
from tests.wire.fakes import CORDON, HELLO, REPORT, START, TARGET, FakeAgent
from tests.wire.pair import served, tls_pair
from tests.wire.pki import TestCa
from tests.wire.raw import (
    EXCEPTION,
    RESULT,
    after_request,
    answer_of,
    exactly,
    frame,
    has_ended,
    hostile_agent,
)
from tests.wire.shapes import sample

GARBAGE = {
    "not-pyro": b"HTTP/1.1 200 OK\r\n\r\n" * 4,
    "not-json": frame(b"{", RESULT),
    "not-utf8": frame(b"\xff\xfe\xff", RESULT),
    "deep": frame(b"[" * 100_000, RESULT),
    "huge-number": frame(b"1" * 100_000, RESULT),
    "not-a-number": frame(b'{"mode": NaN}', RESULT),
    "not-the-answer": frame(b'{"mode": "nonsense"}', RESULT),
    "a-list": frame(b"[]", RESULT),
    "nothing": frame(b"", RESULT),
    "fault-without-code": frame(b'{"detail": "x"}', RESULT, flags=EXCEPTION),
    "fault-of-unknown-code": frame(b'{"code": "??"}', RESULT, flags=EXCEPTION),
    "out-of-step": frame(b"{}", RESULT, seq=77),
    "other-kind": frame(b"{}", kind=4),
    "other-version": frame(b"{}", RESULT, version=1),
    "longer-than-the-cap": frame(b"", RESULT, size=MESSAGE_CAP + 1),
    "three-gigabytes": frame(b"", RESULT, size=3 * 2**30),
}


def test_a_call_brings_the_answer_of_the_contract(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        assert linked.link.call("hello", HelloAsk(PROTOCOL, "0.1.0"), 5) == HELLO
        assert linked.link.call("start", START, 5).step_id == START.step_id
        linked.link.ping(5)
    assert [method for method, _ in agent.asked] == ["hello", "start"]
    assert agent.asked[1][1] == START


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_the_contract_can_be_called(ca: TestCa, method: str) -> None:
    asked, answered = METHODS[method]
    request = {type(r): r for r in (START, REPORT, CORDON)}.get(asked) or _decoded(asked)
    with served(ca, FakeAgent()) as linked:
        assert type(linked.link.call(method, request, 5)) is answered


def _decoded(kind: type) -> object:
    return decode(kind, sample(kind))


def test_a_request_of_another_method_is_a_defect_and_is_not_sent(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        with pytest.raises(TypeError, match="cordon takes CordonOrder, not LogAsk"):
            linked.link.call("cordon", LogAsk(), 5)
        linked.link.ping(5)
    assert not agent.asked


def test_what_the_contract_does_not_admit_comes_back_as_a_code(ca: TestCa) -> None:
    with served(ca, FakeAgent()) as linked:
        order = dataclasses.replace(START, attempt=0)
        with pytest.raises(RemoteError, match=r"StartOrder\.attempt: not within") as caught:
            linked.link.call("start", order, 5)
        assert caught.value.code is RemoteCode.BAD_MESSAGE
        assert linked.link.call("cordon", CORDON, 5).guarded


def test_an_answer_that_the_coordinator_would_refuse_is_not_sent(ca: TestCa) -> None:
    agent = FakeAgent()
    agent.on["cordon"] = lambda order: Sight(order.mode, detail="x" * 501)
    with served(ca, agent) as linked:
        with pytest.raises(RemoteError, match=r"Sight\.detail: longer than 500") as caught:
            linked.link.call("cordon", CORDON, 5)
        assert caught.value.code is RemoteCode.BAD_ANSWER
        linked.link.ping(5)


def test_an_answer_longer_than_a_message_is_a_code_and_the_link_lives(ca: TestCa) -> None:
    agent = FakeAgent()
    agent.on["log"] = lambda _ask: LogPage(("\N{SNOWMAN}" * 1000,) * 200, 1)
    with served(ca, agent) as linked:
        with pytest.raises(RemoteError) as caught:
            linked.link.call("log", LogAsk(), 5)
        assert caught.value.code is RemoteCode.TOO_LARGE
        linked.link.ping(5)


def test_a_request_longer_than_a_message_is_not_sent(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        order = dataclasses.replace(START, params=StepParams(TARGET, notice="x" * MESSAGE_CAP))
        with pytest.raises(RemoteError) as caught:
            linked.link.call("start", order, 5)
        assert caught.value.code is RemoteCode.TOO_LARGE
        linked.link.ping(5)
    assert not agent.asked


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_agent_that_answers_garbage_ends_its_link_as_unknown(ca: TestCa, answer: bytes) -> None:
    with hostile_agent(ca, after_request(answer)) as link:
        with pytest.raises(OutcomeUnknown):
            link.call("cordon", CORDON, 5)
        with pytest.raises(LinkLost):
            link.call("cordon", CORDON, 5)


def test_an_agent_that_never_answers_is_unknown_at_the_deadline(ca: TestCa) -> None:
    with hostile_agent(ca, after_request()) as link:
        with pytest.raises(OutcomeUnknown, match="deadline"):
            link.call("cordon", CORDON, 0.2)
        assert link.is_over


def test_an_agent_that_never_answers_a_ping_is_lost(ca: TestCa) -> None:
    with hostile_agent(ca, after_request()) as link:
        with pytest.raises(LinkLost, match="deadline"):
            link.ping(0.2)
        assert link.is_over


@pytest.mark.parametrize("length", [1, 20, 39, 40, 45, 90])
def test_a_link_cut_inside_an_answer_is_unknown(ca: TestCa, length: int) -> None:
    whole = frame(json.dumps({"mode": "leased", "guarded": True, "detail": "x" * 40}).encode(), 5)

    def behave(link: ssl.SSLSocket) -> None:
        answer_of(link)
        link.sendall(whole[:length])
        link.close()

    with hostile_agent(ca, behave) as link, pytest.raises(OutcomeUnknown):
        link.call("cordon", CORDON, 5)


def test_an_agent_that_reads_nothing_cannot_hold_a_call(ca: TestCa) -> None:
    """Calls are small, so the system takes them: the deadline ends the wait for an answer."""
    done = threading.Event()
    with hostile_agent(ca, lambda _link: _wait(done)) as link:
        with pytest.raises(OutcomeUnknown):
            link.call("start", START, 0.2)
        done.set()


def _wait(done: threading.Event) -> None:
    done.wait(10)


def test_nothing_sent_is_lost_and_not_unknown(ca: TestCa) -> None:
    with served(ca, FakeAgent()) as linked:
        linked.link.close("revoked")
        with pytest.raises(LinkLost, match="pc-03: revoked"):
            linked.link.call("cordon", CORDON, 5)


def test_an_ended_deadline_sends_nothing(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        with pytest.raises(LinkBusy):
            linked.link.call("cordon", CORDON, 0)
        linked.link.ping(5)
    assert not agent.asked


def test_a_call_waits_for_another_on_its_link_only_until_its_deadline(ca: TestCa) -> None:
    agent, hold = FakeAgent(), threading.Event()
    agent.on["start"] = lambda order: hold.wait(10) and _running(order)
    with served(ca, agent) as linked, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(linked.link.call, "start", START, 10)
        agent.heard.wait(10)
        with pytest.raises(LinkBusy):
            linked.link.call("cordon", CORDON, 0.1)
        hold.set()
        assert slow.result().step_id == START.step_id
        linked.link.ping(5)


def _running(order: object) -> object:
    return FakeAgent().start(order)  # type: ignore[arg-type]


def test_closing_ends_a_call_in_progress_as_unknown(ca: TestCa) -> None:
    agent, hold = FakeAgent(), threading.Event()
    agent.on["start"] = lambda order: hold.wait(10) and _running(order)
    with served(ca, agent) as linked, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(linked.link.call, "start", START, 30)
        agent.heard.wait(10)
        linked.link.close("revoked")
        with pytest.raises(OutcomeUnknown):
            slow.result(10)
        hold.set()


def test_calls_from_many_threads_are_answered_each_with_its_own(ca: TestCa) -> None:
    agent = FakeAgent()
    agent.on["log"] = lambda ask: LogPage((), ask.since)
    with served(ca, agent) as linked, ThreadPoolExecutor(8) as pool:
        asks = [LogAsk(since=number) for number in range(200)]
        pages = list(pool.map(lambda ask: linked.link.call("log", ask, 10), asks))
    assert [page.next for page in pages] == list(range(200))


def test_an_agent_is_told_why_it_is_not_wanted(ca: TestCa) -> None:
    with served(ca, FakeAgent()) as linked:
        linked.link.refuse(LinkRefusal.CLONE)
        assert linked.ending().refusal is LinkRefusal.CLONE


@pytest.mark.parametrize("word", [b"no-such-word", b"\xff\xff", b"x" * 300, b""])
def test_a_refusal_in_an_unknown_word_is_still_a_refusal(ca: TestCa, word: bytes) -> None:
    with served(ca, FakeAgent()) as linked:
        linked.link._connection.allow(5)
        linked.link._connection.send(frame(word, kind=3))
        linked.link.close()
        assert linked.ending().refusal is LinkRefusal.UNTOLD


def test_an_agent_that_hears_nothing_ends_the_link(ca: TestCa) -> None:
    with served(ca, FakeAgent(), idle_seconds=0.1) as linked:
        ending = linked.ending()
        assert ending.refusal is None
        assert "deadline" in ending.message
        with pytest.raises(LinkError):
            linked.link.ping(5)


def test_a_coordinator_that_drips_does_not_keep_a_link(ca: TestCa) -> None:
    with served(ca, FakeAgent(), idle_seconds=0.3) as linked:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                linked.link._connection.allow(5)
                linked.link._connection.send(b"P")

        with ThreadPoolExecutor(1) as pool:
            dripping = pool.submit(drip)
            until(lambda: linked.endings, what="the agent to end the link")
            stop.set()
            dripping.exception(10)


def test_closing_twice_from_two_threads_is_harmless(ca: TestCa) -> None:
    with tls_pair(ca) as ends, ThreadPoolExecutor(4) as pool:
        link = AgentLink(ends.coordinator, check_peer(ends.coordinator, Role.AGENT), "127.0.0.1")
        list(pool.map(lambda _n: link.close(), range(20)))
        assert has_ended(ends.agent)
        assert exactly(ends.agent, 0) == b""
