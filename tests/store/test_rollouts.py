from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, text

from agent.wire.contract import CordonMode, Direction, Finding, Severity, StepReport, StepState
from coordinator.store.busy import HostsBusy
from coordinator.store.cordons import Cordons
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import HostState, RolloutState
from tests.plans import make_plan, numbered


def nothing(_connection: Connection) -> None:
    pass


@pytest.fixture
def rollouts(database: Engine) -> Rollouts:
    return Rollouts(database)


def test_a_plan_is_found_by_id_and_by_number(rollouts: Rollouts) -> None:
    plan = make_plan()
    assert rollouts.add_plan(plan) == 1
    assert rollouts.plan("p1") == rollouts.plan(plan.id) == plan
    assert rollouts.plan("p2") is None


def test_a_rollout_is_found_by_id_by_number_and_as_the_latest(rollouts: Rollouts) -> None:
    assert rollouts.find("") is None
    plan = make_plan()
    rollouts.begin(plan, "ann", nothing)
    found = rollouts.find("r1")
    assert found is not None
    assert found == rollouts.find("") == rollouts.find(plan.id)
    assert (found.label, found.plan, found.started_by) == ("r1", plan, "ann")
    assert [v.state for v in rollouts.visits(plan.id)] == [HostState.PENDING] * 3


def test_a_host_is_in_one_active_rollout_at_most(rollouts: Rollouts) -> None:
    plan = make_plan()
    rollouts.begin(plan, "ann", nothing)
    other = replace(plan, id=numbered(2), hosts=plan.hosts[2:])
    with pytest.raises(HostsBusy, match="PC-03 in r1"):
        rollouts.begin(other, "bob", nothing)
    rollouts.tell(plan.id, News(RolloutState.DONE))
    assert rollouts.begin(other, "bob", nothing) == 2


def test_a_host_kept_closed_for_one_app_is_not_closed_for_another(
    rollouts: Rollouts, database: Engine
) -> None:
    plan, cordons = make_plan(), Cordons(database)
    rollouts.begin(plan, "ann", nothing)
    hosts = [p.id for p in plan.hosts]
    cordons.want(hosts[:2], plan.id, CordonMode.SEALED)
    cordons.note_opened(hosts[0], "was opened", 5.0)
    rollouts.tell(plan.id, News(RolloutState.LEFT_CLOSED))
    with pytest.raises(HostsBusy, match="still kept closed is office-demo on PC-02 by r1"):
        rollouts.begin(replace(plan, id=numbered(2), app="starface"), "bob", nothing)
    assert rollouts.begin(replace(plan, id=numbered(3)), "bob", nothing) == 2


def test_a_host_that_is_opened_on_the_spot_is_told_at_once_and_moves_nothing(
    rollouts: Rollouts, database: Engine
) -> None:
    plan, cordons = make_plan(), Cordons(database)
    rollouts.begin(plan, "ann", nothing)
    rollouts.tell(plan.id, News(RolloutState.WALKING))
    cordons.want([plan.hosts[1].id], plan.id, CordonMode.SEALED)
    cordons.note_opened(plan.hosts[1].id, "was opened on the spot", 5.0)
    told = rollouts.history(plan.id)[-1]
    assert (told.host, told.host_state, told.detail, told.at) == (
        plan.hosts[1].id, "opened", "was opened on the spot", 5.0,
    )  # fmt: skip
    assert "roundsman rollout retry r1 --host PC-02" in told.mend
    row = rollouts.find(plan.id)
    assert row is not None
    assert row.state is RolloutState.WALKING


def test_an_errand_that_is_opened_on_the_spot_is_no_news_of_any_rollout(
    rollouts: Rollouts, database: Engine
) -> None:
    rollouts.begin(make_plan(), "ann", nothing)
    cordons = Cordons(database)
    cordons.want(["pc-09"], numbered(9), CordonMode.LEASED)
    cordons.note_opened("pc-09", "was opened", 5.0)
    assert rollouts.history(numbered(9)) == []


def test_nothing_is_written_when_the_walk_cannot_be_enqueued(rollouts: Rollouts) -> None:
    def cut(_connection: Connection) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        rollouts.begin(make_plan(), "ann", cut)
    assert rollouts.find("") is None


def test_news_moves_a_host_or_the_rollout_and_names_it_in_the_mend(rollouts: Rollouts) -> None:
    plan = make_plan()
    rollouts.begin(plan, "ann", nothing)
    host = plan.hosts[0].id
    rollouts.tell(plan.id, News(RolloutState.WALKING, host=host, state=HostState.UPDATING))
    rollouts.tell(plan.id, News(RolloutState.NEEDS_OPERATOR, "why", "roundsman x {rollout}"))
    found = rollouts.find("")
    assert found is not None
    assert (found.state, found.detail, found.mend) == (
        RolloutState.NEEDS_OPERATOR,
        "why",
        "roundsman x r1",
    )
    first = rollouts.visits(plan.id)[0]
    assert first.state is HostState.UPDATING
    assert first.began is not None
    assert [n.detail for n in rollouts.history(plan.id, after=1)] == ["why"]


def test_commands_are_heard_in_order_and_can_be_heard_again(rollouts: Rollouts) -> None:
    first = rollouts.say("r", Command(1, Verb.PAUSE, by="ann"))
    second = rollouts.say("r", Command(1, Verb.RESUME, by="bob", until=5.0))
    rollouts.say("other", Command(1, Verb.SKIP, "pc"))
    assert rollouts.next_command("r", 0) == Command(first, Verb.PAUSE, by="ann")
    assert rollouts.next_command("r", first) == Command(second, Verb.RESUME, "", "bob", 5.0)
    assert rollouts.next_command("r", second) is None


def test_a_step_joined_again_keeps_its_beginning_and_a_new_attempt_has_its_own(
    rollouts: Rollouts, database: Engine
) -> None:
    step_id = f"{numbered(1)}/pc-01/back-up"
    rollouts.begin_step(step_id, Direction.DO, 1)
    with database.begin() as c:
        c.execute(text("update step_run set started = 5.0"))
    rollouts.begin_step(step_id, Direction.DO, 1)
    assert rollouts.steps(numbered(1))[0].started == 5.0
    rollouts.begin_step(step_id, Direction.DO, 2)
    assert rollouts.steps(numbered(1))[0].started > 5.0


def test_an_older_attempt_never_overwrites_a_newer_one(rollouts: Rollouts) -> None:
    step_id = f"{numbered(1)}/pc-01/back-up"
    rollouts.begin_step(step_id, Direction.DO, 2)
    late = StepReport(step_id, Direction.DO, StepState.FAILED, attempt=1)
    rollouts.end_step(late, "failed")
    assert rollouts.steps(numbered(1))[0].state == "running"
    found = Finding("old-left-over", Severity.WARNING, "an _old folder is there")
    done = replace(late, state=StepState.DONE, attempt=2, facts={"app_version": "1.0"})
    rollouts.end_step(done, "done", [found])
    row = rollouts.steps(numbered(1))[0]
    assert (row.state, row.facts, row.findings) == ("done", {"app_version": "1.0"}, (found,))


def test_the_epoch_only_rises(rollouts: Rollouts) -> None:
    assert [rollouts.raise_epoch(), rollouts.raise_epoch()] == [1, 2]
    assert rollouts.raise_epoch(least=40) == 41
    plan = make_plan()
    rollouts.begin(plan, "ann", nothing)
    rollouts.raise_epoch(plan.id)
    found = rollouts.find("")
    assert found is not None
    assert found.epoch == 42
