"""Listener, hub and uplinks together, over real links."""

from agent.uplink_status import LineState
from agent.wire.errors import LinkLost
from coordinator.fleet.hub import HubOptions
from tests.until import until
from tests.wire.fakes import CORDON, HELLO, FakeAgent
from tests.wire.pair import office
from tests.wire.pki import TestCa

OPTIONS = HubOptions("0.1.0", ping_every=60)


def test_an_agent_that_dials_can_be_called(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        uplink = here.linked_agent("pc-03", FakeAgent())
        assert here.hub.call("pc-03", "cordon", CORDON, 5).guarded
        standing = here.hub.standings()["pc-03"]
        assert standing.linked
        assert standing.hello == HELLO
        assert standing.address == "127.0.0.1"
        until(lambda: uplink.standings()[0].state is LineState.LINKED)


def test_many_hosts_are_called_at_once_and_each_has_an_answer_or_an_error(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.linked_agent("pc-01", FakeAgent())
        here.linked_agent("pc-02", FakeAgent())
        orders = dict.fromkeys(["pc-01", "pc-02", "pc-99"], CORDON)
        answers = here.hub.call_all(orders, "cordon", 5)
        assert answers["pc-01"].guarded
        assert answers["pc-02"].guarded
        assert isinstance(answers["pc-99"], LinkLost)
