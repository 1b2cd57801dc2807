"""Who holds the walk, since when, for what, and what unblocks it. Pure."""

import shlex
import time
from collections.abc import Mapping

from coordinator.api.schemas import RolloutView, VisitView, WhyView
from coordinator.walk.states import HostState, RolloutState

_HOLDING = (
    HostState.NEEDS_OPERATOR,
    HostState.UNKNOWN,
    HostState.ROLLING_BACK,
    HostState.CHECKING,
    HostState.UPDATING,
)
"""States in which a host holds up the others, the most urgent first."""

_MOST_NAMED = 5
_PLAIN = {
    RolloutState.WAITING: "it waits for its maintenance window",
    RolloutState.PREPARING: "hosts are looked at and the release is put on them; people work on",
    RolloutState.CLOSING: "the app is being closed on every host",
    RolloutState.RE_OPENING: "the group is being re-opened",
    RolloutState.ROLLING_BACK: "the group goes back to its old release",
}


def explain(seen: RolloutView) -> WhyView:
    """Return the explanation of where a rollout stands."""
    holder = _holder(seen)
    return WhyView(
        label=seen.label,
        state=seen.state,
        holder=_name(seen, holder),
        since=holder.since if holder and not seen.detail else seen.since,
        now=seen.now,
        reason="; ".join(filter(None, (_reason(seen, holder), seen.opened))),
        mend="; ".join(filter(None, (seen.mend, _closes_again(seen)))),
    )


def with_opened(seen: RolloutView, opened: Mapping[str, str]) -> RolloutView:
    """Return a rollout with how each host was opened on the spot that was to stay closed."""
    visits = [v.model_copy(update={"opened": opened.get(v.id, "")}) for v in seen.visits]
    told = [f"{v.host} {v.opened}" for v in visits if v.opened]
    again = f"roundsman rollout retry {seen.label} --host "
    closes = [f"{again}{shlex.quote(v.host)}" for v in visits if v.opened]
    if told and seen.state.is_final:
        closes = [f"roundsman plan {seen.app} VERSION, which closes and updates them"]
    changes = {"visits": visits, "opened": "; ".join(told), "closes_again": "; ".join(closes)}
    return seen.model_copy(update=changes)


def _closes_again(seen: RolloutView) -> str:
    """Return what closes again what was opened, where what is said already does not."""
    return "" if seen.closes_again in seen.mend else seen.closes_again


def _holder(seen: RolloutView) -> VisitView | None:
    """Return the visit that holds the walk: the one the news name, else the most urgent."""
    if seen.state.is_final or seen.state is RolloutState.PAUSED:
        return None
    named = [v for v in seen.visits if v.host in seen.mend.replace(",", " ").split()]
    urgent = [v for state in _HOLDING for v in seen.visits if v.state is state]
    return next(iter(named + urgent), None)


def _name(seen: RolloutView, holder: VisitView | None) -> str:
    if seen.state is RolloutState.PAUSED:
        return "an operator"
    return holder.host if holder else ""


def _reason(seen: RolloutView, holder: VisitView | None) -> str:
    if seen.detail:
        cause = holder.detail if holder and holder.state is HostState.ROLLED_BACK else ""
        return f"{seen.detail}: {cause}" if cause and cause not in seen.detail else seen.detail
    if seen.state.is_final:
        return f"nobody: it has ended, {seen.state}"
    if holder is None:
        plain = _PLAIN.get(seen.state, "the next visit is about to begin")
        return "; ".join([plain, *_who_is_in(seen)])
    return _at_work(holder)


def _who_is_in(seen: RolloutView) -> list[str]:
    """Return who keeps the app open on which hosts, those named first that were asked first."""
    found = [f"{v.host}: still in: {v.still_in}" for v in seen.visits if v.still_in]
    return found[:_MOST_NAMED] + (
        [f"{len(found) - _MOST_NAMED} more"] * (len(found) > _MOST_NAMED)
    )


def turn_text(visit: VisitView) -> str:
    """Return who is to update the app from inside it, and until when."""
    until = time.strftime("%H:%M", time.localtime(visit.turn_until))
    turn = f"{visit.turn_of} has the turn" if visit.turn_of else "nobody is at it who has the turn"
    return f"{turn} to update it, until {until}"


def _at_work(holder: VisitView) -> str:
    if holder.detail:
        return holder.detail
    if not holder.step:
        return f"it is {holder.state}"
    if holder.turn_until is not None:
        return turn_text(holder)
    if holder.bytes_total:
        return f"it takes {holder.step}, {holder.bytes_done} of {holder.bytes_total} bytes done"
    return f"it takes {holder.step}"
