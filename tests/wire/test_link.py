"""One link over real TLS: what is asked is answered, and every fault ends the link cleanly."""

from agent.wire.contract import PROTOCOL, HelloAsk
from tests.wire.fakes import CORDON, HELLO, START, FakeAgent
from tests.wire.pair import served
from tests.wire.pki import TestCa


def test_a_call_brings_the_answer_of_the_contract(ca: TestCa) -> None:
    agent = FakeAgent()
    with served(ca, agent) as linked:
        assert linked.link.call("hello", HelloAsk(PROTOCOL, "0.1.0"), 5) == HELLO
        assert linked.link.call("start", START, 5).step_id == START.step_id
        assert linked.link.call("cordon", CORDON, 5).guarded
        linked.link.ping(5)
    assert [method for method, _ in agent.asked] == ["hello", "start", "cordon"]
    assert agent.asked[1][1] == START
