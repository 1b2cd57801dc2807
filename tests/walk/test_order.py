"""Setup -> exactly what is done on which host, in which order."""

from collections.abc import Callable, Sequence

import pytest

from agent.wire.contract import CordonMode, StepName
from coordinator.model import AfterRollBack, FailurePolicy
from coordinator.walk.ports import SightOf, Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import RolloutState
from tests.walk.fleet import SimulatedFleet
from tests.walk.pc import Fate
from tests.walk.plans import make_plan

DONE, ABORTED = RolloutState.DONE, RolloutState.ABORTED
PARTLY, LEFT = RolloutState.PARTLY_DONE, RolloutState.LEFT_CLOSED
SHORT = {
    "back-up": "b",
    "apply-release": "a",
    "start-service-manager": "s",
    "check-health": "c",
}
Setup = Callable[[SimulatedFleet], None]


def _visits(fleet: SimulatedFleet) -> str:
    """Return the visits as "1b 1a 1s 1c 1s- ...": host and step, "-" undone, "=" tidied."""
    return " ".join(_short(act) for act in fleet.visits())


def _short(act: str) -> str:
    host, step, *way = act.split()
    return host[3:] + SHORT[step] + {"undo": "-", "tidy": "="}.get("".join(way), "")


def _visit(n: int) -> str:
    return f"{n}b {n}a {n}s {n}c {n}s-"


def _back(n: int) -> str:
    return f"{n}c- {n}s- {n}a- {n}b-"


def _tidy(*hosts: int) -> str:
    return " ".join(f"{n}{step}=" for step in "absc" for n in hosts)


def _fails(n: int, step: StepName, *fates: Fate) -> Setup:
    return lambda fleet: fleet.fail(f"pc-{n}", step, *fates)


def _says(*answers: tuple[Verb, str]) -> Setup:
    return lambda fleet: fleet.answers.extend(answers)


def _both(*setups: Setup) -> Setup:
    def set_up(fleet: SimulatedFleet) -> None:
        for setup in setups:
            setup(fleet)

    return set_up


def _breaks(n: int) -> Setup:
    return _fails(n, StepName.APPLY_RELEASE, Fate.FAIL, Fate.FAIL)


@pytest.mark.parametrize(
    ("setup", "visits", "end"),
    [
        pytest.param(_says(), f"{_visit(1)} {_visit(2)} {_tidy(1, 2)}", DONE, id="all is well"),
        pytest.param(
            _fails(2, StepName.APPLY_RELEASE, Fate.FAIL),
            f"{_visit(1)} 2b 2a {_visit(2)[3:]} {_tidy(1, 2)}", DONE, id="fails once",
        ),
        pytest.param(
            _fails(1, StepName.CHECK_HEALTH, Fate.SILENT),
            f"1b 1a 1s 1c 1c 1c 1c 1s- {_visit(2)} {_tidy(1, 2)}", DONE, id="silent, then done",
        ),
        pytest.param(
            _both(_breaks(2), _says((Verb.RETRY, "pc-2"))),
            f"{_visit(1)} 2b 2a 2a {_back(2)} {_visit(2)} {_tidy(1, 2)}", DONE,
            id="rolled back, then tried again",
        ),
        pytest.param(
            _both(_breaks(1), _says((Verb.SKIP, ""))),
            f"1b 1a 1a {_back(1)} {_visit(2)} {_tidy(2)}", PARTLY, id="rolled back, then skipped",
        ),
        pytest.param(
            _both(_breaks(2), _says((Verb.ABORT_ROLL_BACK, ""))),
            f"{_visit(1)} 2b 2a 2a {_back(2)} {_back(1)} {_tidy(1, 2)}", ABORTED,
            id="the whole group goes back",
        ),
        pytest.param(
            _both(_breaks(2), _says((Verb.ABORT_LEAVE_CLOSED, ""))),
            f"{_visit(1)} 2b 2a 2a {_back(2)}", LEFT, id="aborted and left closed",
        ),
        pytest.param(
            _both(_breaks(1), _says((Verb.ABORT_LEAVE_CLOSED, ""))),
            f"1b 1a 1a {_back(1)} {_tidy(1, 2)}", ABORTED, id="aborted with nothing changed",
        ),
        pytest.param(
            lambda fleet: fleet.orders.append((70.0, Verb.ABORT_LEAVE_CLOSED, "")),
            _tidy(1, 2), ABORTED, id="aborted before the first visit",
        ),
        pytest.param(
            lambda fleet: fleet.orders.append((200.0, Verb.ROLL_BACK, "pc-1")),
            f"{_visit(1)} {_visit(2)} {_back(1)} {_tidy(2)}", PARTLY, id="one is not wanted",
        ),
    ],
)  # fmt: skip
def test_what_is_done_in_the_visits(setup: Setup, visits: str, end: RolloutState) -> None:
    fleet = SimulatedFleet(make_plan(2))
    setup(fleet)
    assert walk(fleet.plan, fleet) is end
    assert _visits(fleet) == visits
    assert fleet.faults == []


def test_a_whole_rollout_in_order() -> None:
    fleet = SimulatedFleet(make_plan(2))
    walk(fleet.plan, fleet)
    both = ["survey", "stage", "drain", "stop-service-manager"]
    closing = [f"pc-{n} {step}" for step in both for n in (1, 2)]
    visits = [
        f"pc-{n} {step}"
        for n in (1, 2)
        for step in (
            "back-up", "apply-release", "start-service-manager", "check-health",
            "start-service-manager undo",
        )
    ]  # fmt: skip
    ending = [
        f"pc-{n} {step}"
        for step in (
            "stop-service-manager tidy", "reopen", "apply-release tidy", "back-up tidy",
            "stage tidy", "start-service-manager tidy", "check-health tidy", "drain tidy",
            "survey tidy",
        )
        for n in (1, 2)
    ]  # fmt: skip
    assert fleet.acts == closing + visits + ending
    assert fleet.open_hosts() == ["pc-1", "pc-2"]


def test_the_service_manager_may_stay_up_where_the_profile_lets_it() -> None:
    fleet = SimulatedFleet(make_plan(2, close_between_visits=False))
    assert walk(fleet.plan, fleet) is DONE
    assert "pc-1 start-service-manager undo" not in fleet.acts


def test_the_drain_closes_the_app_and_never_the_seal() -> None:
    fleet = SimulatedFleet(make_plan(3, held=[3]))
    walk(fleet.plan, fleet)
    assert [pc.shut_on for pc in fleet.pcs.values()] == [0, 0, 0]


def test_a_policy_may_skip_what_was_rolled_back_without_asking() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(make_plan(3, policy=policy))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert walk(fleet.plan, fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-3"]
    assert "PC-02" in fleet.stands().detail
    last = [news.detail for news in fleet.news if news.host == "pc-2"][-1]
    assert last == "taken back to its old release: check-health: check-health broke"


def test_a_group_in_which_none_could_be_updated_re_opens_on_its_old_release() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(make_plan(2, policy=policy))
    for host in fleet.pcs:
        fleet.fail(host, StepName.APPLY_RELEASE, Fate.FAIL)
    assert walk(fleet.plan, fleet) is ABORTED
    assert fleet.open_hosts() == ["pc-1", "pc-2"]
    assert fleet.faults == []


def test_a_held_host_is_closed_and_sealed_and_not_changed() -> None:
    fleet = SimulatedFleet(make_plan(3, held=[2]))
    assert walk(fleet.plan, fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-3"]
    assert [a for a in fleet.acts if a.startswith("pc-2")] == [
        "pc-2 drain", "pc-2 stop-service-manager",
    ]  # fmt: skip


def test_a_host_that_has_the_release_already_is_closed_meanwhile_and_re_opened() -> None:
    fleet = SimulatedFleet(make_plan(3, ahead=[1]))
    assert walk(fleet.plan, fleet) is DONE
    assert "pc-1 drain" in fleet.acts
    assert "pc-1 back-up" not in fleet.acts
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]
    assert fleet.faults == []


def test_a_host_that_had_the_release_already_cannot_be_rolled_back() -> None:
    orders = [(70.0, Verb.ROLL_BACK, "pc-1"), (120.0, Verb.ROLL_BACK, "pc-1")]
    fleet = SimulatedFleet(make_plan(2, ahead=[1]), orders=orders)
    assert walk(fleet.plan, fleet) is DONE
    assert fleet.faults == []


def test_a_health_check_that_is_tried_again_finds_the_service_manager_started_again() -> None:
    fleet = SimulatedFleet(make_plan(2))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)  # as when a power cut ended what ran
    assert walk(fleet.plan, fleet) is DONE
    acts = [act.removeprefix("pc-2 ") for act in fleet.acts if act.startswith("pc-2 ")]
    first = acts.index("check-health")
    again = ["start-service-manager undo", "start-service-manager", "check-health"]
    assert acts[first + 1 : first + 4] == again


class _Asked(SimulatedFleet):
    """Tells among its acts when the other hosts are asked whether they are closed."""

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        self.acts.append("confirm")
        return super().confirm(hosts, mode)


@pytest.mark.parametrize(("pace", "asked"), [(1.0, 2), (0.1, 1)])
def test_the_others_are_asked_anew_before_a_change_unless_they_have_just_said_it(
    pace: float, asked: int
) -> None:
    fleet = _Asked(make_plan(2))
    fleet.pcs["pc-1"].pace = pace
    assert walk(fleet.plan, fleet) is DONE
    closed = fleet.acts.index("pc-2 stop-service-manager")
    applied = fleet.acts.index("pc-1 apply-release")
    before_the_first_visit = 1  # of the whole group
    assert fleet.acts[closed:applied].count("confirm") - before_the_first_visit == asked
