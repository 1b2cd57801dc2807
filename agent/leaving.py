"""Whether this PC can do without its agent: asked before a package replaces or removes it.

A replacement waits for the end of a step of a visit: it would be interrupted by the restart, and
recovered, but nobody need take that way. A removal would open what is kept closed.
"""

from enum import StrEnum

from agent.config import Config
from agent.journal import Journal
from agent.lock import is_held
from agent.standing import local_cordon
from agent.steps.rows import STEPS
from agent.steps.table import Lane
from agent.wire.contract import CordonMode, StepName, StepState


class Leaving(StrEnum):
    """What becomes of the agent."""

    UPGRADE = "upgrade"
    REMOVAL = "removal"


def step_in_the_way(config: Config, journal: Journal) -> str:
    """Return the step that is under way and had better not be cut; "" when there is none.

    Raises `JournalError`.
    """
    if not is_held(config.state):
        return ""  # what the journal shows under way was cut already
    reports = (record.report for record in journal.to_recover())
    under_way = (report.step_id for report in reports if report.state is StepState.RUNNING)
    return next(filter(_is_of_a_visit, under_way), "")


def _is_of_a_visit(step_id: str) -> bool:
    name = step_id.rpartition("/")[2]
    return name in set(StepName) and STEPS[StepName(name)].lane is Lane.VISIT


def closed_app(config: Config, journal: Journal) -> str:
    """Return why the agent is needed to keep an app closed; "" when it is not.

    Raises `JournalError`.
    """
    mode, state = local_cordon(config, journal).state()
    if state is None or mode is CordonMode.NONE:
        return ""
    return (
        f"{state.record.app} is kept closed here by rollout {state.record.rollout}. End the "
        "rollout at the coordinator, or open the app here: roundsman-agent uncordon"
    )
