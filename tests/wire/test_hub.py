"""Listener, hub and uplinks together, over real links."""

import dataclasses
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.uplink_status import LineState
from agent.wire.contract import PROTOCOL, LogAsk, LogPage, Refusal, Sight
from agent.wire.errors import LinkError, LinkLost, LinkRefusal, LinkRefused, OutcomeUnknown
from agent.wire.tls import Identity
from coordinator.fleet.hub import HubOptions, Order
from coordinator.fleet.standing import seconds_ahead
from tests.until import until
from tests.wire.fakes import CORDON, HELLO, FakeAgent
from tests.wire.pair import office
from tests.wire.pki import TestCa

OPTIONS = HubOptions("0.1.0", ping_every=60)
_ABOUT = 60.0  # seconds


class DenyList:
    """The identities that were revoked so far."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def __call__(self, identity: Identity) -> bool:
        return identity.id in self.refused


class Heartbeat:
    """What a daemon says at each ping, and what it hears."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self.orders = orders
        self.heard: list[tuple[str, Order, object]] = []

    def on_ping(self, host_id: str) -> Sequence[Order]:
        return self.orders

    def on_answer(self, host_id: str, order: Order, answer: object) -> None:
        self.heard.append((host_id, order, answer))


def test_an_agent_that_dials_can_be_called(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        uplink = here.linked_agent("pc-03", FakeAgent())
        assert here.hub.call("pc-03", "cordon", CORDON, 5).guarded
        standing = here.hub.standings()["pc-03"]
        assert standing.linked
        assert standing.hello == HELLO
        assert standing.address == "127.0.0.1"
        assert standing.last_heard is not None
        until(lambda: uplink.standings()[0].state is LineState.LINKED)


def test_many_hosts_are_called_at_once_and_each_has_an_answer_or_an_error(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-01", FakeAgent())
        here.linked_agent("pc-02", FakeAgent())
        orders = dict.fromkeys(["pc-01", "pc-02", "pc-99"], CORDON)
        answers = here.hub.call_all(orders, "cordon", 5)
        assert list(answers) == ["pc-01", "pc-02", "pc-99"]
        assert answers["pc-01"].guarded
        assert answers["pc-02"].guarded
        assert isinstance(answers["pc-99"], LinkLost)
        assert here.hub.call_all({}, "cordon", 5) == {}


def test_hosts_are_called_beside_each_other(ca: TestCa) -> None:
    """Neither of two answers unless both are asked at once."""
    both = threading.Barrier(2)
    with office(ca, OPTIONS) as here:
        for name in ("pc-01", "pc-02"):
            agent = FakeAgent()
            agent.on["log"] = lambda _ask: LogPage((), both.wait(10))
            here.linked_agent(name, agent)
        answers = here.hub.call_all(dict.fromkeys(["pc-01", "pc-02"], LogAsk()), "log", 10)
        assert {answer.next for answer in answers.values()} == {0, 1}


def test_revocation_bites_on_the_next_call_and_at_the_next_dial(ca: TestCa) -> None:
    denied = DenyList()
    with office(ca, dataclasses.replace(OPTIONS, is_refused=denied)) as here:
        api = FakeAgent()
        uplink = here.linked_agent("pc-03", api)
        asked = len(api.asked)
        denied.refused.add("pc-03")
        with pytest.raises(LinkRefused, match="pc-03: its certificate was revoked"):
            here.hub.call("pc-03", "cordon", CORDON, 5)
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.REVOKED)
        assert not here.hub.linked()
        assert len(api.asked) == asked


def test_revocation_bites_at_the_next_ping(ca: TestCa) -> None:
    denied = DenyList()
    options = dataclasses.replace(OPTIONS, is_refused=denied, ping_every=0.05)
    with office(ca, options) as here:
        here.linked_agent("pc-03", FakeAgent())
        denied.refused.add("pc-03")
        until(lambda: not here.hub.linked())


def test_dropping_ends_a_call_in_progress(ca: TestCa) -> None:
    agent, hold = FakeAgent(), threading.Event()
    agent.on["cordon"] = lambda order: hold.wait(10) and Sight(order.mode)
    with office(ca, OPTIONS) as here, ThreadPoolExecutor(1) as pool:
        here.linked_agent("pc-03", agent)
        agent.heard.clear()
        slow = pool.submit(here.hub.call, "pc-03", "cordon", CORDON, 30)
        agent.heard.wait(10)
        here.hub.drop("pc-03")
        here.hub.drop("pc-03")  # nothing more to drop
        with pytest.raises(OutcomeUnknown):
            slow.result(10)
        hold.set()


def test_a_host_that_goes_away_is_noticed_by_the_pings(ca: TestCa) -> None:
    with office(ca, dataclasses.replace(OPTIONS, ping_every=0.05)) as here:
        here.linked_agent("pc-03", FakeAgent()).stop()
        until(lambda: not here.hub.linked())
        standing = here.hub.standings()["pc-03"]
        assert not standing.linked
        assert standing.hello == HELLO


def test_pings_keep_a_link_and_are_heard(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-03", FakeAgent())
        before = here.hub.standings()["pc-03"].last_heard
        here.hub.beat()
        assert here.hub.standings()["pc-03"].last_heard != before


@pytest.mark.parametrize("orders", [[], [("cordon", CORDON)]])
@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_a_clock_that_is_set_under_a_standing_link_is_known_soon_and_again_when_it_is_right(
    ca: TestCa, off: float, orders: list[Order]
) -> None:
    agent, heart = FakeAgent(), Heartbeat(orders)
    options = dataclasses.replace(OPTIONS, ping_every=0.02, on_ping=heart.on_ping)
    with office(ca, options) as here:

        def reads(seconds: float) -> None:
            agent.on["hello"] = lambda _: dataclasses.replace(HELLO, clock=time.time() + seconds)
            until(lambda: abs(seconds_ahead(here.hub.standing, "pc-03") - seconds) < _ABOUT)

        here.linked_agent("pc-03", agent)
        reads(0.0)
        reads(off)
        reads(0.0)
        assert here.hub.linked() == {"pc-03"}


def test_an_order_is_said_instead_of_a_ping_and_its_answer_heard(ca: TestCa) -> None:
    heart = Heartbeat([("cordon", CORDON), ("log", LogAsk())])
    options = dataclasses.replace(OPTIONS, on_ping=heart.on_ping, on_answer=heart.on_answer)
    with office(ca, options) as here:
        here.linked_agent("pc-03", FakeAgent())
        here.hub.beat()
        assert heart.heard == [
            ("pc-03", ("cordon", CORDON), Sight(CORDON.mode, guarded=True)),
            ("pc-03", ("log", LogAsk()), LogPage(("started",), 1)),
        ]


def test_an_order_that_is_not_answered_is_heard_as_an_error(ca: TestCa) -> None:
    heart = Heartbeat([("cordon", CORDON)])
    options = dataclasses.replace(OPTIONS, on_ping=heart.on_ping, on_answer=heart.on_answer)
    with office(ca, options) as here:
        here.linked_agent("pc-03", FakeAgent()).stop()
        here.hub.beat()
        assert isinstance(heart.heard[0][2], LinkError)
        assert not here.hub.linked()


def test_a_defect_in_a_heartbeat_does_not_end_the_pings(
    ca: TestCa, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def defective(host_id: str) -> Sequence[Order]:
        calls.append(host_id)
        raise RuntimeError("a defect")

    options = dataclasses.replace(OPTIONS, on_ping=defective, ping_every=0.02)
    with office(ca, options) as here:
        here.linked_agent("pc-03", FakeAgent())
        until(lambda: len(calls) > 2)
    assert "RuntimeError: a defect" in caplog.text


def test_another_protocol_is_refused_plainly_and_remembered(ca: TestCa) -> None:
    newer = dataclasses.replace(HELLO, protocol=PROTOCOL + 1, version="9.0")
    with office(ca, OPTIONS) as here:
        uplink = here.agent("pc-03", FakeAgent(newer))
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.PROTOCOL_MISMATCH)
        standing = here.hub.standings()["pc-03"]
        assert not standing.linked
        assert standing.refusal is LinkRefusal.PROTOCOL_MISMATCH
        assert "speaks protocol 2 (agent 9.0)" in standing.problem


def test_an_agent_that_refuses_our_protocol_is_heard(ca: TestCa) -> None:
    refusing = dataclasses.replace(HELLO, refusal=Refusal.PROTOCOL_MISMATCH)
    with office(ca, OPTIONS) as here:
        uplink = here.agent("pc-03", FakeAgent(refusing))
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.PROTOCOL_MISMATCH)
        assert not here.hub.linked()


def test_an_agent_that_cannot_say_hello_is_refused_and_listed(ca: TestCa) -> None:
    broken = FakeAgent()
    broken.on["hello"] = lambda _ask: None
    with office(ca, OPTIONS) as here:
        uplink = here.agent("pc-03", broken)
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.BAD_HELLO)
        assert "cannot say hello" in here.hub.standings()["pc-03"].problem


def test_an_agent_that_never_says_hello_keeps_nobody_waiting(ca: TestCa) -> None:
    silent, hold = FakeAgent(), threading.Event()
    silent.on["hello"] = lambda _ask: hold.wait(10) and HELLO
    options = dataclasses.replace(OPTIONS, hello_deadline=0.2)
    with office(ca, options) as here:
        here.agent("pc-03", silent)
        here.linked_agent("pc-04", FakeAgent())
        until(lambda: "pc-03" in here.hub.standings())
        assert "deadline" in here.hub.standings()["pc-03"].problem
        hold.set()


def test_of_two_machines_with_one_certificate_the_first_stays_and_the_alarm_is_kept(
    ca: TestCa,
) -> None:
    shared = ca.agent("pc-03")
    with office(ca, OPTIONS) as here:
        first = FakeAgent()
        here.agent("pc-03", first, shared)
        until(here.hub.linked)
        copy = FakeAgent(dataclasses.replace(HELLO, boot_id="boot-2"))
        uplink = here.agent("pc-03", copy, shared)
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.CLONE)
        standing = here.hub.standings()["pc-03"]
        assert standing.linked
        assert standing.clone_address == "127.0.0.1"
        assert standing.clone_seen is not None
        here.hub.call("pc-03", "cordon", CORDON, 5)
        assert ("cordon", CORDON) in first.asked
        assert ("cordon", CORDON) not in copy.asked
        uplink.stop()
        here.hub.clear_alarm("pc-03")
        assert here.hub.standings()["pc-03"].clone_seen is None


def test_after_the_alarm_the_copy_does_not_take_the_place_of_the_one_that_is_silent(
    ca: TestCa,
) -> None:
    shared = ca.agent("pc-03")
    with office(ca, OPTIONS) as here:
        first = here.agent("pc-03", FakeAgent(), shared, "127.0.0.2")
        until(here.hub.linked)
        copy = FakeAgent(dataclasses.replace(HELLO, boot_id="boot-2"))
        here.agent("pc-03", copy, shared, "127.0.0.3")
        until(lambda: here.hub.standings()["pc-03"].clone_address == "127.0.0.3")
        seen = here.hub.standings()["pc-03"].clone_seen
        first.stop()
        until(lambda: here.hub.standings()["pc-03"].clone_seen != seen)  # it was refused again
        assert not here.hub.linked()
        rebooted = FakeAgent(dataclasses.replace(HELLO, boot_id="boot-3"))
        here.agent("pc-03", rebooted, shared, "127.0.0.2")
        until(here.hub.linked)
        assert here.hub.standings()["pc-03"].hello.boot_id == "boot-3"  # type: ignore[union-attr]
        assert copy.asked == [("hello", ask) for _, ask in copy.asked]


def test_one_machine_that_dials_two_addresses_is_no_alarm(ca: TestCa) -> None:
    shared = ca.agent("pc-03")
    with office(ca, OPTIONS) as here:
        here.agent("pc-03", FakeAgent(), shared)
        until(here.hub.linked)
        second = here.agent("pc-03", FakeAgent(), shared)
        until(lambda: second.standings()[0].refusal is LinkRefusal.ALREADY_LINKED)
        assert here.hub.standings()["pc-03"].clone_seen is None


def test_a_newer_link_wins_once_the_older_does_not_answer(ca: TestCa) -> None:
    shared = ca.agent("pc-03")
    hung, hold = FakeAgent(), threading.Event()
    hung.on["log"] = lambda _ask: hold.wait(20) and LogPage()
    options = dataclasses.replace(OPTIONS, clone_deadline=0.2)
    with office(ca, options) as here, ThreadPoolExecutor(1) as pool:
        here.agent("pc-03", hung, shared)
        until(here.hub.linked)
        hung.heard.clear()
        slow = pool.submit(here.hub.call, "pc-03", "log", LogAsk(), 0.5)
        hung.heard.wait(10)
        fresh = FakeAgent(dataclasses.replace(HELLO, boot_id="boot-2"))
        here.agent("pc-03", fresh, shared)
        until(lambda: here.hub.standings()["pc-03"].hello.boot_id == "boot-2")  # type: ignore[union-attr]
        assert isinstance(slow.exception(10), OutcomeUnknown)
        assert here.hub.standings()["pc-03"].clone_seen is None
        hold.set()


def test_a_closed_hub_takes_no_links_and_calls_nobody(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        uplink = here.linked_agent("pc-03", FakeAgent())
        here.hub.close()
        with pytest.raises(LinkLost):
            here.hub.call("pc-03", "cordon", CORDON, 5)
        until(lambda: uplink.standings()[0].state is LineState.LOST)
        assert not here.hub.linked()
