"""Does an agent's journal tell the truth? Held against its log, the kills, and the coordinator.

An agent writes its journal before and after each step, and its log after the journal. So its
log, cut into lives at each start, says how often every step was run and how each run ended; what
is missing at the end of a life must be the work of a kill.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.killers import Kill
from tests.faults.ledger import (
    PLANNED,
    JournalRow,
    Key,
    Line,
    StepRow,
    journal_steps,
    log_lines,
)

CUT = "cut"


@dataclass(slots=True)
class Run:
    """One run of a step: which attempt, in which life of the agent, and how it ended."""

    attempt: int
    life: int
    outcome: str = CUT
    called_interrupted: bool = False


@dataclass
class Story:
    """What an agent's log tells of one rollout: its lives, and each step's runs."""

    lives: list[float] = field(default_factory=list)  # when each began
    runs: dict[Key, list[Run]] = field(default_factory=dict)
    lies: list[str] = field(default_factory=list)

    def hear(self, line: Line, rollout: str) -> None:
        """Take in one line."""
        if line.what == "agent started":
            self.lives.append(line.at)
        elif line.step.startswith(rollout):
            runs = self.runs.setdefault(line.key, [])
            {
                "step started": self._started,
                "step ended": self._ended,
                "step recovered": self._recovered,
            }[line.what](line, runs)

    def _started(self, line: Line, runs: list[Run]) -> None:
        last = runs[-1] if runs else None
        if last and last.outcome == CUT and last.life == self._life:
            self.lies.append(f"{line.key} began while it ran")
        runs.append(Run(line.attempt, self._life))

    def _ended(self, line: Line, runs: list[Run]) -> None:
        if not runs or runs[-1].life != self._life or runs[-1].outcome != CUT:
            self.lies.append(f"{line.key} ended, and had not begun in this life")
            return
        runs[-1].outcome = line.state

    def _recovered(self, line: Line, runs: list[Run]) -> None:
        if not runs or runs[-1].outcome != CUT:
            if line.state != "interrupted":
                return  # it had failed, and what it left was looked at again
            runs.append(
                Run(line.attempt, self._life - 1)
            )  # killed before its beginning was logged
        if runs[-1].life == self._life:
            self.lies.append(f"{line.key} is called {line.state} in the life it began in")
        runs[-1].called_interrupted = True

    @property
    def _life(self) -> int:
        return len(self.lives) - 1


def story_of(state: Path, rollout: str) -> Story:
    """Return what the log of the agent with this state folder tells."""
    story = Story()
    for line in log_lines(state):
        story.hear(line, rollout)
    return story


def lies_of_journal(state: Path, rollout: str, kills: Sequence[Kill]) -> Iterator[str]:
    """Yield what an agent's journal says, or its log, that cannot be true."""
    story = story_of(state, rollout)
    rows = {row.key: row for row in journal_steps(state, rollout)}
    yield from story.lies
    if rows.keys() != set(PLANNED):
        yield f"the journal has {sorted(rows.keys() ^ set(PLANNED))} too much or too little"
    for key, row in rows.items():
        if row.state != "done":
            yield f"the journal calls {key} {row.state}"
        yield from _lies_about(key, row, story.runs.get(key, []), _Deaths(story.lives, kills))


@dataclass(frozen=True, slots=True)
class _Deaths:
    """When an agent's lives ended, and whether it was killed then."""

    lives: Sequence[float]
    kills: Sequence[Kill]

    def kills_in(self, life: int) -> list[Kill]:
        """Return the kills from the beginning of a life to that of the next."""
        begin = self.lives[life]
        end = self.lives[life + 1] if life + 1 < len(self.lives) else float("inf")
        return [kill for kill in self.kills if begin <= kill.at <= end]


def _lies_about(key: Key, row: JournalRow, runs: list[Run], deaths: _Deaths) -> Iterator[str]:
    done = [run for run in runs if run.outcome == "done"]
    if len(done) > 1:
        yield f"{key} was done {len(done)} times"
    elif not done and not _is_done_unheard(row, runs, deaths):
        yield f"{key} is called done and never was: {runs}"
    if done and done[0] is not runs[-1]:
        yield f"{key} was run again after it was done: {runs}"
    yield from _lies_about_cuts(key, runs, deaths)
    attempts = [run.attempt for run in runs]
    if attempts != sorted(attempts) or attempts[-1:] != [row.attempt]:
        yield f"{key} has attempts {attempts}, the journal says {row.attempt}"


def _lies_about_cuts(key: Key, runs: list[Run], deaths: _Deaths) -> Iterator[str]:
    for run in runs:
        if run.outcome != CUT:
            continue
        kills = deaths.kills_in(run.life)
        if not kills:
            yield f"{key} was left under way in a life that no kill ended: {run}"
        elif run is not runs[-1] and not run.called_interrupted and len(kills) < 2:
            yield f"{key} was begun again and never called interrupted: {runs}"


def _is_done_unheard(row: JournalRow, runs: list[Run], deaths: _Deaths) -> bool:
    """True when the last run ended well and the agent was killed before it could log that."""
    if not runs or runs[-1].outcome != CUT or runs[-1].called_interrupted:
        return False
    return any(row.ended <= kill.at for kill in deaths.kills_in(runs[-1].life))


def lies_of_coordinator(state: Path, rollout: str, told: Sequence[StepRow]) -> Iterator[str]:
    """Yield where the coordinator's rows of one host are not what its agent's journal says."""
    rows = {row.key: row for row in journal_steps(state, rollout)}
    seen = {row.key: row for row in told}
    if seen.keys() != rows.keys():
        yield f"the coordinator has {sorted(seen.keys() ^ rows.keys())} too much or too little"
    for key in seen.keys() & rows.keys():
        mine, its = seen[key], rows[key]
        if (mine.state, mine.attempt) != (its.state, its.attempt):
            yield f"{key} is {mine.state} {mine.attempt}, the journal says {its}"
        if mine.ended is None or not mine.started <= its.ended <= mine.ended:
            yield f"{key} is said to have been asked for and answered at another time: {its}"
