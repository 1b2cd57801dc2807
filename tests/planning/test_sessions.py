"""How many sessions each host of a plan has: numbers that a host said, whatever it said."""

import pytest

from agent.wire.codec import decode, encode
from coordinator.model import Plan, SessionCount
from coordinator.planning.plan import make_plan
from coordinator.planning.sessions import sessions_of
from tests.planning.office import make_basis, make_host, make_request, said


def test_a_plan_counts_sessions_and_names_nobody() -> None:
    survey = said(sessions="3", sessions_away="1", open_sessions="2", open_users="marie, paul")
    plan = make_plan(make_request(), make_basis([make_host("PC-01")], {"PC-01": survey}))

    assert plan.hosts[0].sessions == SessionCount(here=3, away=1, open=2)
    assert "marie" not in repr(encode(plan))
    assert decode(Plan, encode(plan)) == plan


def test_a_plan_made_before_sessions_were_counted_is_read() -> None:
    plan = make_plan(make_request(), make_basis([make_host("PC-01")]))
    kept = encode(plan)
    for host in kept["hosts"]:
        del host["sessions"]

    assert decode(Plan, kept).hosts[0].sessions == SessionCount()


@pytest.mark.parametrize("text", ["", "-1", "many", "1.5", "99999", "\u0663", "9" * 400])
def test_what_is_no_number_of_sessions_counts_as_none(text: str) -> None:
    facts = {"sessions": text, "sessions_away": text, "open_sessions": text}

    assert sessions_of(facts) == SessionCount()
