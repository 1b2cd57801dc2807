"""The rules of the walk (design: I1 to I4) over random offices, faults and operators.

The simulated fleet is the referee: it looks at every PC's own state when a step begins.
"""

from collections.abc import Callable, Sequence
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.wire.contract import Direction
from coordinator.model import AfterRollBack, FailurePolicy, Plan, SharedData
from coordinator.walk.back import walk_back
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import Deed, SimulatedFleet, Waits
from tests.walk.left import left
from tests.walk.pc import SECONDS, Fate, Pc, Release
from tests.walk.plans import BEGIN, make_plan
from tests.walk.replay import RecordingPort

_RUN = settings(
    derandomize=True,
    max_examples=400,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
_FAULT = st.tuples(
    st.integers(1, 5),
    st.sampled_from(list(SECONDS)),
    st.sampled_from([Direction.DO, Direction.DO, Direction.UNDO, Direction.TIDY]),
    st.lists(st.sampled_from(list(Fate)), min_size=1, max_size=4),
)


def _off(pc: Pc) -> None:
    pc.on = False


def _cut(pc: Pc) -> None:
    pc.cable = False


_DEED = st.tuples(
    st.integers(0, 900).map(float),
    st.integers(1, 5),
    st.sampled_from([_off, _cut, Pc.switch_on, Pc.switch_on, Pc.open_by_code, Pc.let_in]),
)
_WORD = st.tuples(st.sampled_from(list(Verb)), st.integers(0, 5))
_ORDER = st.tuples(st.integers(0, 1200).map(float), st.sampled_from(list(Verb)), st.integers(1, 5))
_MOMENT = st.sampled_from([BEGIN + 30.0, BEGIN + 100.0, BEGIN + 199.0, BEGIN + 200.0])


@st.composite
def _plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 5))
    policy = FailurePolicy(draw(st.integers(0, 2)), draw(st.sampled_from(AfterRollBack)))
    opens = BEGIN + draw(st.sampled_from([0.0, 0.0, 200.0]))
    room = draw(st.sampled_from([200.0, 500.0, 3600.0, 86400.0]))
    held = draw(st.lists(st.integers(1, 5), max_size=1))
    data = draw(st.sampled_from([None, True, False, False]))
    drill = draw(st.sampled_from([False, False, False, True]))
    servers = draw(st.sampled_from([[], [], [1], [2], [1, 3]]))
    may_be_ahead = not drill and data is not False
    ahead = servers if may_be_ahead and draw(st.sampled_from([False, False, True])) else []
    return make_plan(
        count,
        held=held,
        ahead=ahead,
        servers=servers,
        announce=tuple(sorted(draw(st.lists(_MOMENT, max_size=3, unique=True)))),
        drill=drill,
        backs_up=not drill or draw(st.booleans()),
        policy=policy,
        opens=opens,
        deadline=opens + room,
        data=data if data is None else SharedData(f"pc-{draw(st.integers(1, count))}", data, 50.0),
    )


@st.composite
def _offices(draw: st.DrawFn, storm: bool = True) -> SimulatedFleet:
    plan = draw(_plans())
    ids = {p.id for p in plan.hosts}
    words = draw(st.lists(_WORD, max_size=8)) if storm else []
    orders = draw(st.lists(_ORDER, max_size=3)) if storm else []
    fleet = SimulatedFleet(
        plan,
        at=[_deed(when, f"pc-{n}", act) for when, n, act in draw(st.lists(_DEED, max_size=5))
            if f"pc-{n}" in ids],
        answers=[(verb, f"pc-{n}" if n else "") for verb, n in words],
        orders=[(when, verb, f"pc-{n}") for when, verb, n in orders],
        order_until=draw(st.sampled_from([0.0, plan.deadline + 5000])),
    )  # fmt: skip
    for pc in fleet.pcs.values():
        pc.pace = draw(st.sampled_from([1.0, 1.0, 0.1]))  # a short back-up is no new turn
    for n, step, way, fates in draw(st.lists(_FAULT, max_size=4)):
        if f"pc-{n}" in ids:
            fleet.fail(f"pc-{n}", step, *fates, way=way)
    return fleet


def _deed(when: float, host: str, act: Callable[[Pc], None]) -> tuple[float, Deed]:
    return when, partial(_do, host, act)


def _do(host: str, act: Callable[[Pc], None], pcs: dict[str, Pc]) -> None:
    act(pcs[host])


def _walk(fleet: SimulatedFleet) -> RolloutState | None:
    try:
        return walk(fleet.plan, fleet)
    except Waits:
        return None


def _releases(fleet: SimulatedFleet, hosts: Sequence[str]) -> set[Release]:
    return {fleet.pcs[h].release for h in hosts}


@_RUN
@given(_offices())
def test_no_rule_is_ever_broken(fleet: SimulatedFleet) -> None:
    _walk(fleet)
    assert fleet.faults == []


@_RUN
@given(_offices())
def test_it_always_ends_or_waits_for_somebody_and_says_for_what(fleet: SimulatedFleet) -> None:
    end, stands = _walk(fleet), fleet.stands()
    if end is None:
        assert stands.rollout in {RolloutState.NEEDS_OPERATOR, RolloutState.PAUSED}
        assert stands.detail
        assert "roundsman rollout" in stands.mend
    else:
        assert end.is_final
        assert stands.rollout is end
        assert end is RolloutState.DONE or stands.detail


@_RUN
@given(_offices())
def test_who_is_let_in_is_on_one_version_and_who_is_not_stays_sealed(
    fleet: SimulatedFleet,
) -> None:
    before = _releases(fleet, list(fleet.pcs))
    end = _walk(fleet)
    opened = fleet.open_hosts()
    servers = [p.id for p in fleet.plan.hosts if p.role == fleet.plan.server_first]
    if len(_releases(fleet, opened)) > 1:
        assert servers
        assert _releases(fleet, servers) == {Release.NEW}
    assert Release.HALF not in _releases(fleet, opened)
    released = Release.OLD if fleet.plan.drill else Release.NEW
    expected = {
        RolloutState.DONE: {released},
        RolloutState.PARTLY_DONE: {released, Release.OLD} if servers else {released},
        RolloutState.ABORTED: {Release.OLD, *before},
    }.get(end or RolloutState.WAITING, set(Release) if servers else set())
    assert _releases(fleet, opened) <= expected or end is None
    if end is RolloutState.DONE:
        assert set(opened) == set(fleet.pcs)


@_RUN
@given(_offices())
def test_a_drill_applies_nothing_and_lets_everybody_in_again(fleet: SimulatedFleet) -> None:
    if not fleet.plan.drill:
        return
    end = _walk(fleet)
    assert _releases(fleet, list(fleet.pcs)) == {Release.OLD}
    assert not [a for a in fleet.acts if a.split()[1] in {"stage", "apply-release"}]
    if not fleet.plan.backs_up:
        assert not [a for a in fleet.acts if a.split()[1] in {"back-up", "back-up-data"}]
    if end is not None:
        assert set(fleet.open_hosts()) == set(fleet.pcs)


@_RUN
@given(_offices())
def test_nobody_is_told_ahead_more_often_than_was_asked(fleet: SimulatedFleet) -> None:
    _walk(fleet)
    for host in fleet.pcs:
        assert fleet.acts.count(f"{host} announce") <= len(fleet.plan.announce)


@_RUN
@given(_offices())
def test_a_group_that_went_back_has_its_data_as_it_was_and_the_newer_kept(
    fleet: SimulatedFleet,
) -> None:
    end, share = _walk(fleet), fleet.share
    if share is None or end is not RolloutState.ABORTED:
        return
    is_old = share.content == share.saved
    assert is_old or not share.is_bound
    assert share.backups <= 1
    if share.aside:
        assert is_old


@_RUN
@given(_offices())
def test_aborted_with_nothing_changed_every_host_re_opens(fleet: SimulatedFleet) -> None:
    end = _walk(fleet)
    asked_to_change = any(act.endswith("apply-release") for act in fleet.acts)
    if end is RolloutState.ABORTED and not asked_to_change:
        assert set(fleet.open_hosts()) == set(fleet.pcs)


@_RUN
@given(_offices())
def test_a_skipped_host_stays_sealed_when_the_others_are_updated(fleet: SimulatedFleet) -> None:
    end = _walk(fleet)
    plan = fleet.plan
    if end is RolloutState.PARTLY_DONE and not (plan.server_first or plan.drill):
        states = fleet.states()
        skipped = {h for h in fleet.pcs if states[h] is not HostState.UPDATED}
        assert not skipped & set(fleet.open_hosts())


@_RUN
@given(_offices(storm=False))
def test_a_patient_operator_brings_every_office_to_its_end(fleet: SimulatedFleet) -> None:
    """Whoever mends what is broken and says retry ends with a whole group."""
    last = max([0.0, *(when for when, _ in fleet.at)])
    for pc in fleet.pcs.values():
        fleet.at.append((last + 1.0, _deed(0.0, pc.id, Pc.switch_on)[1]))
    fleet.order_until = fleet.plan.deadline + 1e6
    fleet.answers = [(verb, "") for verb in (Verb.RESUME, Verb.RETRY)] * 60
    assert _walk(fleet) in {
        RolloutState.DONE,
        RolloutState.PARTLY_DONE,
        RolloutState.ABORTED,
    }
    assert fleet.faults == []


@settings(_RUN, max_examples=60)
@given(_offices())
def test_a_replayed_walk_asks_the_same_in_the_same_order(fleet: SimulatedFleet) -> None:
    first = RecordingPort(fleet)
    try:
        end = walk(fleet.plan, first)
    except Waits:
        return
    again = RecordingPort(fleet, list(first.kept))
    assert walk(fleet.plan, again) is end
    assert again.calls == len(first.kept)


@_RUN
@given(_offices())
def test_whatever_was_left_closed_can_be_taken_back(fleet: SimulatedFleet) -> None:
    if _walk(fleet) is not RolloutState.LEFT_CLOSED:
        return
    for pc in fleet.pcs.values():
        pc.switch_on()
    fleet.at, fleet.orders, fleet.answers = [], [], [(Verb.RETRY, "")] * 60
    assert walk_back(left(fleet), fleet) is RolloutState.ABORTED
    assert fleet.faults == []
    assert _releases(fleet, fleet.open_hosts()) <= {Release.OLD}
    if fleet.share is not None:
        assert not fleet.share.is_bound
