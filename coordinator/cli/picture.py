"""What a rollout looks like to people: as text, and as the live table of `watch`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coordinator.api.schemas import NewsView, RolloutView, VisitView, WhyView
from coordinator.cli.output import ago, clock, pairs, size, table
from coordinator.walk.states import HostState, RolloutState

_BAR_WIDTH = 20
DRILLED = "drilled"
_COLORS = {
    HostState.UPDATED: "green",
    HostState.UPDATING: "cyan",
    HostState.CHECKING: "cyan",
    HostState.DRAINING: "yellow",
    HostState.ROLLING_BACK: "magenta",
    HostState.ROLLED_BACK: "magenta",
    HostState.UNKNOWN: "red",
    HostState.NEEDS_OPERATOR: "red",
}


def status_text(seen: RolloutView) -> str:
    """Return where a rollout and its hosts stand, as plain text."""
    rows = [
        (v.place + 1, v.host, state_word(seen, v), done_text(v), clock(v.since), _detail(v))
        for v in seen.visits
    ]
    visits = table(("", "host", "state", "step", "since", "detail"), rows, "")
    return f"{_facts(seen)}\n\n{visits}".rstrip()


def _facts(seen: RolloutView) -> str:
    return pairs(
        [
            ("rollout", f"{seen.label}: {_what(seen)}, {seen.site}/{seen.group}"),
            ("state", f"{seen.state}, since {clock(seen.since)}"),
            ("deadline", clock(seen.deadline)),
            ("started", f"{clock(seen.started)} by {seen.started_by}"),
            ("ended", clock(seen.ended)),
            ("why", seen.detail),
            ("mend", seen.mend),
            ("opened", seen.opened),
            ("close it", seen.closes_again),
        ]
    )


def _what(seen: RolloutView) -> str:
    drill = "drill of " if seen.drill else ""
    return f"{drill}{seen.app} {seen.version}".rstrip()


def _detail(visit: VisitView) -> str:
    return "; ".join(filter(None, (visit.detail, visit.opened)))


def state_word(seen: RolloutView, visit: VisitView) -> str:
    """Return where a host stands; in a drill nothing is updated."""
    return DRILLED if seen.drill and visit.state is HostState.UPDATED else str(visit.state)


def done_text(visit: VisitView) -> str:
    """Return how far a visit has come, in words."""
    if not visit.step:
        return f"{visit.steps_done} of {visit.steps_total}"
    if visit.still_in:
        return f"{visit.step}, {in_text(visit)}"
    if visit.turn_until is not None:
        turn = f"turn of {visit.turn_of}" if visit.turn_of else "nobody's turn just now"
        return f"{visit.step}, {turn}, until {clock(visit.turn_until)}"
    way = "" if visit.direction == "do" else f" ({visit.direction})"
    if not visit.bytes_total:
        return f"{visit.step}{way}"
    return f"{visit.step}{way}, {size(visit.bytes_done)} of {size(visit.bytes_total)}"


def in_text(visit: VisitView) -> str:
    """Return who still has the app open on a host, in words."""
    return f"still in: {visit.still_in}" if visit.still_in else "nobody is in any more"


def in_line(visit: VisitView, at: float) -> str:
    """Return who still has the app open on a host, as one line of what is followed."""
    return f"{clock(at)}  {visit.host}: {in_text(visit)}"


def list_text(found: list[RolloutView]) -> str:
    """Return rollouts as a table."""
    rows = [
        (
            r.label,
            r.app,
            _version(r),
            f"{r.site}/{r.group}",
            r.state,
            clock(r.started),
            r.started_by,
        )
        for r in found
    ]
    headers = ("rollout", "app", "version", "group", "state", "started", "by")
    return table(headers, rows, "No rollouts yet: roundsman plan APP VERSION")


def _version(seen: RolloutView) -> str:
    return f"{seen.version} (drill)".lstrip() if seen.drill else seen.version


def why_text(found: WhyView) -> str:
    """Return who holds the walk, as plain text."""
    return pairs(
        [
            ("rollout", f"{found.label}, {found.state}"),
            ("holder", found.holder or "nobody"),
            ("since", f"{clock(found.since)} ({ago(found.now - found.since)})"),
            ("why", found.reason),
            ("mend", found.mend),
        ]
    )


def news_line(item: NewsView) -> str:
    """Return one line of a rollout's history."""
    who = f"{item.host} {item.host_state}" if item.host else f"rollout {item.state}"
    tail = f": {item.detail}" if item.detail else ""
    return f"{clock(item.at)}  {who}{tail}" + (f"  [{item.mend}]" if item.mend else "")


@dataclass(slots=True)
class History:
    """What was shown of a rollout's history, so that nothing is shown twice."""

    number: int = 0  # of the last that was shown
    stands: tuple[str, ...] = ()  # where the rollout stood then, in words

    def fresh(self, news: Iterable[NewsView]) -> Iterator[NewsView]:
        """Yield what says something new; a rollout's state is kept anew with each host's."""
        for item in news:
            self.number = item.number
            stands = (item.state, item.detail, item.mend)
            if item.host or stands != self.stands:
                yield item
            if not item.host:
                self.stands = stands


def live_table(seen: RolloutView, why: WhyView) -> RenderableType:
    """Return the live table: one line a host, with its progress bar, and who holds the walk."""
    head = f"{seen.label}  {_what(seen)}  {seen.site}/{seen.group}  "
    title = Text(head).append(str(seen.state), _color(seen.state))
    parts: list[RenderableType] = [title, _visits(seen)]
    if why.holder or why.mend:
        parts.append(Text(f"{why.holder or seen.label}: {why.reason}"))
    if why.mend:
        parts.append(Text(f"mend: {why.mend}", "bold"))
    return Group(*parts)


def _visits(seen: RolloutView) -> Table:
    lines = Table(box=None, pad_edge=False)
    for header in ("host", "state", "progress", "step", "since"):
        lines.add_column(header, no_wrap=header != "step")
    for visit in seen.visits:
        lines.add_row(
            Text(visit.host),
            Text(state_word(seen, visit), _COLORS.get(visit.state, "")),
            _bar(visit),
            Text(done_text(visit) if visit.step else visit.detail),
            clock(visit.since),
        )
    return lines


def _bar(visit: VisitView) -> ProgressBar:
    if visit.step and visit.bytes_total:
        return ProgressBar(visit.bytes_total, visit.bytes_done, _BAR_WIDTH)
    done = visit.steps_total if visit.state is HostState.UPDATED else visit.steps_done
    return ProgressBar(visit.steps_total or 1, done, _BAR_WIDTH)


def _color(state: RolloutState) -> str:
    if state is RolloutState.DONE:
        return "bold green"
    return "bold red" if state is RolloutState.NEEDS_OPERATOR else "bold"
