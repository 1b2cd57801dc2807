"""Tells what stays open from what was opened anew a moment ago, which the guard is about to end.

Somebody impatient, or a service's recovery, opens the app again and again in a closed group. A
step that has to find it closed meets one of these by chance, and does not give up for it.
"""

from collections.abc import Callable

from agent.platforms.base import Process
from agent.steps.table import Work

GUARD_SECONDS = 1.0
"""No relaunch grows older, as long as the guard is on."""
_PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


def staying(work: Work, look: Callable[[], list[Process]]) -> list[Process]:
    """Return what is open; [] as soon as a look finds nothing.

    What is younger than a relaunch may become is looked at again, for some seconds at most.
    """
    end = work.platform.clock() + _PATIENCE_SECONDS
    while (found := look()) and _are_young(work, found) and work.platform.clock() < end:
        work.pause(_LOOK_SECONDS)
    return found


def _are_young(work: Work, processes: list[Process]) -> bool:
    now = work.platform.clock()
    return all(now - process.started < GUARD_SECONDS for process in processes)
