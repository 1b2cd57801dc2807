"""Where this PC stands: gathered from its state folder, as data and in plain words."""

import time
from dataclasses import dataclass

from agent.config import Config
from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.cordon_unit import given_back
from agent.journal import Journal
from agent.lock import is_held
from agent.people import LoggedPeople
from agent.platforms.this import this_platform
from agent.records import StepRecord
from agent.steps.table import Refused
from agent.uplink_status import FILE_NAME, LineStanding, LineState, read_status
from agent.wire.contract import CordonMode, Direction, Refusal, Target
from agent.wire.profile import Profile

_LAST_STEPS = 8
_WAYS = {
    Direction.DO: "",
    Direction.UNDO: ", taken back",
    Direction.TIDY: ", tidied up",
}
_LINKS = {
    LineState.DIALING: "not linked yet: dialing",
    LineState.LINKED: "linked",
    LineState.LOST: "not linked: no answer; it is dialed again shortly",
    LineState.REFUSED: "not linked: refused",
    LineState.STOPPED: "not linked: the agent is stopped",
}


@dataclass(frozen=True, slots=True)
class ClosedApp:
    """The cordon as people see it."""

    app: str
    mode: CordonMode
    rollout: str
    since: float
    relaunches: int
    opened_by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything `roundsman-agent status` tells."""

    host: str
    runs: bool
    links: tuple[LineStanding, ...]
    cordon: ClosedApp | None
    steps: tuple[StepRecord, ...]  # newest first

    @property
    def needs_a_person(self) -> bool:
        """True when the agent does not run, or is refused by a coordinator."""
        return not self.runs or any(line.state is LineState.REFUSED for line in self.links)


def local_cordon(config: Config, journal: Journal) -> Cordon:
    """Return the cordon of this host, without a guard: to look it up or to open it."""

    def no_profile(target: Target) -> Profile:
        raise Refused(Refusal.NOT_SIGNED, f"{target.name} is not read here")

    return Cordon(journal, CordonTools(this_platform(), config, no_profile, LoggedPeople()))


def its_service(config: Config, journal: Journal) -> str:
    """Have the service of what was opened here run again; return what is said of it."""
    return given_back(journal, this_platform().services, agent_runs=is_held(config.state))


def read_standing(config: Config, journal: Journal) -> Standing:
    """Return where this PC stands. Raises `JournalError`."""
    try:
        links = read_status(config.state / FILE_NAME).lines
    except (OSError, ValueError):
        links = ()
    return Standing(
        host=config.host,
        runs=is_held(config.state),
        links=links,
        cordon=_closed_app(local_cordon(config, journal)),
        steps=tuple(journal.last_steps(_LAST_STEPS)),
    )


def _closed_app(cordon: Cordon) -> ClosedApp | None:
    mode, state = cordon.state()
    if state is None:
        return None
    record = state.record
    return ClosedApp(
        record.app, mode, record.rollout, record.since, state.relaunches, state.opened
    )


def in_words(standing: Standing) -> str:
    """Return the standing as lines for people."""
    agent = "runs" if standing.runs else "does not run: start it with roundsman-agent run"
    lines = [f"This PC is {standing.host}; its agent {agent}."]
    lines += [_link(line) for line in standing.links] if standing.runs else []
    lines.append(_cordon(standing.cordon))
    lines += [_step(record) for record in standing.steps]
    return "\n".join(lines)


def _link(line: LineStanding) -> str:
    why = f" ({line.message})" if line.message else ""
    return f"Coordinator {line.address}: {_LINKS[line.state]}, since {_at(line.since)}{why}."


def _cordon(closed: ClosedApp | None) -> str:
    if closed is None or (closed.mode is CordonMode.NONE and not closed.opened_by):
        return "Nothing is kept closed."
    if closed.opened_by:
        return f"{closed.app} was opened here by {closed.opened_by}, in rollout {closed.rollout}."
    until = "until the rollout opens it" if closed.mode is CordonMode.SEALED else "for now"
    return (
        f"{closed.app} is kept closed {until}, by rollout {closed.rollout} since "
        f"{_at(closed.since)}; closed again {closed.relaunches} times. The administrator of this "
        "PC can open it: roundsman-agent uncordon"
    )


def _step(record: StepRecord) -> str:
    report = record.report
    why = f": {report.detail}" if report.detail else ""
    step = report.step_id.rpartition("/")[2]
    return f"  {_at(record.started)}  {step}{_WAYS[report.direction]}: {report.state}{why}"


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
