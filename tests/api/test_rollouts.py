"""Rollouts over the API: started, seen, explained, steered."""

from pathlib import Path

import pytest

from agent.wire.contract import Direction, StepName, StepReport, StepState
from coordinator.api.asks import CommandAsk
from coordinator.api.roles import OperatorRole
from coordinator.complaint import Complaint
from coordinator.model import HostStanding, SharedData
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import HostState, RolloutState
from tests.api.real import RealOffice
from tests.noon import to_noon
from tests.plans import make_plan

HOST, OTHER = "pc-01-abcdef", "pc-02-abcdef"


@pytest.fixture
def walking(office: RealOffice) -> tuple[RealOffice, str]:
    """An office in the middle of a rollout: PC-01 is being backed up."""
    office.add_hosts()
    plan = make_plan()
    office.rollouts.add_plan(plan)
    rollout = office.start("p1")
    office.tell(rollout, News(RolloutState.WALKING, host=HOST, state=HostState.UPDATING))
    office.rollouts.begin_step(f"{rollout}/{HOST}/back-up", Direction.DO, 1)
    office.rollouts.note_progress(f"{rollout}/{HOST}/back-up", Direction.DO, 40, 100)
    return office, rollout


Walking = tuple[RealOffice, str]


def test_a_plan_is_started_once(office: RealOffice) -> None:
    office.add_hosts()
    office.rollouts.add_plan(make_plan())
    with office.client(OperatorRole.OPERATOR) as client:
        started = client.start("p1")
        assert (started.label, started.started_by) == ("r1", "some operator")
        assert [v.host for v in started.visits] == ["PC-01", "PC-02", "PC-03"]
        with pytest.raises(Complaint, match="was started as r1"):
            client.start("p1")


def test_a_host_is_in_one_rollout_at_a_time(walking: Walking) -> None:
    office, _ = walking
    office.rollouts.add_plan(make_plan(id="01JD0000000000000000000009"))
    with office.client() as client:
        with pytest.raises(Complaint, match="already under way on PC-01 in r1"):
            client.start("p2")
        assert client.host(HOST).rollout == "r1"


def test_the_status_shows_each_visit_and_its_progress(walking: Walking) -> None:
    office, rollout = walking
    with office.client(OperatorRole.VIEWER) as client:
        seen = client.rollout("r1")
        assert client.rollout("latest") == seen.model_copy(update={"now": pytest.approx(seen.now)})
        assert client.rollout(rollout).label == client.rollout("1").label == "r1"
    first = seen.visits[0]
    assert (first.step, first.bytes_done, first.bytes_total) == ("back-up", 40, 100)
    assert (first.state, seen.visits[1].state) == (HostState.UPDATING, HostState.PENDING)
    assert first.steps_total == 8


def test_the_news_come_once_each(walking: Walking) -> None:
    office, _ = walking
    with office.client() as client:
        news = client.news("r1")
        assert [n.host for n in news] == ["", "PC-01"]
        assert client.news("r1", news[-1].number) == []


def test_why_says_who_holds_the_walk_and_what_unblocks_it(walking: Walking) -> None:
    office, rollout = walking
    with office.client() as client:
        at_work = client.why("r1")
        assert at_work.holder == "PC-01"
        assert "takes back-up, 40 of 100 bytes" in at_work.reason
        office.tell(
            rollout,
            News(
                RolloutState.NEEDS_OPERATOR,
                "PC-02 is silent in back-up",
                "roundsman rollout skip {rollout} PC-02 --switched-off",
            ),
        )
        held = client.why("r1")
    assert (held.holder, held.reason) == ("PC-02", "PC-02 is silent in back-up")
    assert held.mend == "roundsman rollout skip r1 PC-02 --switched-off"


@pytest.mark.parametrize(
    ("state", "holder", "said"),
    [
        (RolloutState.PAUSED, "an operator", "paused"),
        (RolloutState.DONE, "", "it has ended, done"),
        (RolloutState.WAITING, "PC-01", "takes back-up"),
    ],
)
def test_why_has_an_answer_in_every_state(
    walking: Walking, state: RolloutState, holder: str, said: str
) -> None:
    office, rollout = walking
    office.tell(rollout, News(state, "paused by ann" if state is RolloutState.PAUSED else ""))
    with office.client() as client:
        found = client.why("r1")
    assert found.holder == holder
    assert said in found.reason


@pytest.mark.parametrize(
    ("ask", "verb", "host"),
    [
        (CommandAsk(verb=Verb.PAUSE), Verb.PAUSE, ""),
        (CommandAsk(verb=Verb.RESUME), Verb.RESUME, ""),
        (CommandAsk(verb=Verb.RETRY, host="PC-01"), Verb.RETRY, HOST),
        (CommandAsk(verb=Verb.SKIP, host="pc-01"), Verb.SKIP, HOST),
        (CommandAsk(verb=Verb.SWITCHED_OFF, host=HOST), Verb.SWITCHED_OFF, HOST),
        (CommandAsk(verb=Verb.ROLL_BACK, host="PC-01"), Verb.ROLL_BACK, HOST),
        (CommandAsk(verb=Verb.ROLL_BACK), Verb.ABORT_ROLL_BACK, ""),
        (CommandAsk(verb=Verb.ABORT_LEAVE_CLOSED), Verb.ABORT_LEAVE_CLOSED, ""),
    ],
)
def test_an_operator_s_word_reaches_the_walk(
    walking: Walking, ask: CommandAsk, verb: Verb, host: str
) -> None:
    office, _ = walking
    with office.client() as client:
        client.say("r1", ask)
    assert office.engine.said == [Command(1, verb, host, "ann")]


def test_resume_takes_a_later_deadline_of_today(walking: Walking) -> None:
    office, _ = walking
    office.clock.ahead = to_noon()
    with office.client() as client:
        with pytest.raises(Complaint, match="tomorrow is another day"):
            client.say("r1", CommandAsk(verb=Verb.RESUME, until="00:00"))
        with pytest.raises(Complaint, match="only resume takes one"):
            client.say("r1", CommandAsk(verb=Verb.PAUSE, until="23:59"))
        client.say("r1", CommandAsk(verb=Verb.RESUME, until="23:59"))
    assert office.engine.said[0].until > office.clock()


@pytest.mark.parametrize("verb", [Verb.SKIP, Verb.SWITCHED_OFF])
def test_leaving_out_a_host_takes_its_name(walking: Walking, verb: Verb) -> None:
    office, _ = walking
    with office.client() as client:
        with pytest.raises(Complaint, match="which host"):
            client.say("r1", CommandAsk(verb=verb))
        with pytest.raises(Complaint, match="no host 'PC-99' in r1"):
            client.say("r1", CommandAsk(verb=verb, host="PC-99"))
    assert office.engine.said == []


def test_an_ended_rollout_hears_nothing(walking: Walking) -> None:
    office, rollout = walking
    office.tell(rollout, News(RolloutState.LEFT_CLOSED, "mixed"))
    with office.client() as client, pytest.raises(Complaint, match="has ended, left-closed"):
        client.say("r1", CommandAsk(verb=Verb.RESUME))


# -- taken back ------------------------------------------------------------------------------


@pytest.fixture
def left(office: RealOffice) -> RealOffice:
    """An office whose rollout was left closed: PC-01 is updated, PC-02 failed, both stay."""
    office.add_hosts()
    holder = SharedData(HOST, old_reads_new=False, seconds=5.0)
    plan = make_plan(data=holder)
    office.rollouts.add_plan(plan)
    rollout = office.start("p1")
    for host, state in ((HOST, HostState.UPDATED), (OTHER, HostState.NEEDS_OPERATOR)):
        office.tell(rollout, News(RolloutState.WALKING, host=host, state=state))
        _step(office, f"{rollout}/{host}/apply-release", attempt=2)
    _step(office, f"{rollout}/{HOST}/back-up-data")
    office.rollouts.say(rollout, Command(1, Verb.ABORT_LEAVE_CLOSED))
    office.tell(rollout, News(RolloutState.LEFT_CLOSED, "mixed"))
    return office


def _step(
    office: RealOffice, step_id: str, way: Direction = Direction.DO, attempt: int = 1
) -> None:
    office.rollouts.begin_step(step_id, way, attempt)
    office.rollouts.end_step(StepReport(step_id, way, StepState.DONE, attempt), "done")


@pytest.mark.parametrize("verb", [Verb.ROLL_BACK, Verb.ABORT_ROLL_BACK])
def test_a_rollout_that_was_left_closed_can_be_rolled_back(left: RealOffice, verb: Verb) -> None:
    with left.client() as client:
        seen = client.say("r1", CommandAsk(verb=verb))
    assert (seen.state, seen.ended) == (RolloutState.ROLLING_BACK, None)
    (order,) = left.engine.taken_back
    assert [(h.id, h.state, h.is_changed) for h in order.hosts] == [
        (HOST, HostState.UPDATED, True),
        (OTHER, HostState.NEEDS_OPERATOR, True),
        ("pc-03-abcdef", HostState.PENDING, False),
    ]
    assert {(a.host, a.step, a.number) for a in order.attempts} == {
        (HOST, StepName.APPLY_RELEASE, 2),
        (OTHER, StepName.APPLY_RELEASE, 2),
        (HOST, StepName.BACK_UP_DATA, 1),
    }
    assert (order.heard, order.is_data_touched) == (2, True)


def test_what_is_back_already_is_not_called_changed(left: RealOffice) -> None:
    rollout = left.rollouts.find("r1")
    assert rollout is not None
    _step(left, f"{rollout.id}/{OTHER}/apply-release", Direction.UNDO)
    _step(left, f"{rollout.id}/{HOST}/back-up-data", Direction.UNDO)
    with left.client() as client:
        client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))
    (order,) = left.engine.taken_back
    assert [h.id for h in order.hosts if h.is_changed] == [HOST]
    assert not order.is_data_touched


def test_a_rollout_whose_hosts_were_re_opened_cannot_be_taken_back(left: RealOffice) -> None:
    rollout = left.rollouts.find("r1")
    assert rollout is not None
    _step(left, f"{rollout.id}/{HOST}/apply-release", Direction.TIDY)
    with left.client() as client, pytest.raises(Complaint, match="were re-opened already"):
        client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))


@pytest.mark.parametrize("way", [Direction.TIDY, Direction.UNDO])
def test_where_people_were_let_in_between_it_is_taken_back_once_all_is_closed_again(
    left: RealOffice, way: Direction
) -> None:
    rollout = left.rollouts.find("r1")
    assert rollout is not None
    step = f"{rollout.id}/{HOST}/stop-service-manager"
    _step(left, step)
    _step(left, step, way)
    with left.client() as client:
        with pytest.raises(Complaint, match="people were let in again on PC-01"):
            client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))
        _step(left, step, attempt=2)
        client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))
    assert len(left.engine.taken_back) == 1


def test_a_rollout_of_long_ago_cannot_be_taken_back(left: RealOffice) -> None:
    left.clock.ahead += 26 * 86400
    with left.client() as client, pytest.raises(Complaint, match="ended too long ago"):
        client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))


def test_one_that_another_has_changed_since_cannot_be_taken_back(left: RealOffice) -> None:
    later = "01JD0000000000000000000009"
    left.rollouts.begin(make_plan(1, id=later), "ann", lambda _connection: None)
    with left.client() as client:
        with pytest.raises(Complaint, match="already under way on PC-01 in r2"):
            client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))
        _step(left, f"{later}/{HOST}/apply-release")
        left.tell(later, News(RolloutState.DONE))
        with pytest.raises(Complaint, match="cannot take r1 back: changed since are PC-01 by r2"):
            client.say("r1", CommandAsk(verb=Verb.ROLL_BACK))
    assert left.engine.taken_back == []


def test_no_host_is_rolled_back_alone_when_the_data_it_shares_cannot_be(left: RealOffice) -> None:
    with left.client() as client, pytest.raises(Complaint, match="cannot roll PC-01 back alone"):
        client.say("r1", CommandAsk(verb=Verb.ROLL_BACK, host="PC-01"))


def test_an_unknown_rollout_is_named(office: RealOffice) -> None:
    with office.client() as client:
        for ask in (client.rollout, client.why, client.news, client.codes, client.report):
            with pytest.raises(Complaint, match="no rollout 'r99'"):
                ask("r99")
        with pytest.raises(Complaint, match="no rollout yet"):
            client.rollout("latest")


def test_the_codes_of_sealed_hosts_are_shown_and_audited(walking: Walking) -> None:
    office, rollout = walking
    office.seal(rollout, [HOST])
    with office.client(OperatorRole.OPERATOR) as client:
        (code,) = client.codes("r1")
    assert (code.host, len(code.code)) == ("PC-01", 14)
    assert office.people.trail(1)[0].what == "rollout codes"
    assert code.code not in office.people.trail(1)[0].detail


def test_the_report_comes_as_values_text_and_page(walking: Walking) -> None:
    office, _ = walking
    with office.client() as client:
        found = client.report("r1")
        assert client.report("r1", page=True).page.startswith("<!")
    assert found.hosts[0]["host"] == "PC-01"
    assert found.rollout["label"] == "r1"
    assert "PC-01" in found.text
    assert found.page == ""


def test_lists_show_the_newest_first_and_the_active_alone(
    walking: Walking, tmp_path: Path
) -> None:
    office, rollout = walking
    office.tell(rollout, News(RolloutState.DONE))
    office.rollouts.add_plan(make_plan(id="01JD0000000000000000000009"))
    office.start("p2")
    with office.client() as client:
        assert [r.label for r in client.rollouts()] == ["r2", "r1"]
        assert [r.label for r in client.rollouts(active=True)] == ["r2"]
        assert client.health().active == ["r2"]


def test_a_plan_is_not_started_once_its_group_is_another_one(office: RealOffice) -> None:
    office.rollouts.add_plan(make_plan())
    office.add_hosts(4)
    office.fleet.set_standing(HOST, HostStanding.REVOKED)
    office.fleet.set_standing("pc-02-abcdef", HostStanding.HELD)
    said = "group office has changed since: PC-04 came, PC-01 left, PC-02 is held"
    with office.client() as client, pytest.raises(Complaint, match=said) as refused:
        client.start("p1")
    assert refused.value.mend == "roundsman plan office-demo 1.1 --group office"
    assert office.rollouts.all() == []
