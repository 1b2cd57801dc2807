"""Puts the new release where the old one was, in the way the profile says.

What that is, and how it is taken back, is one file a kind: see `agent.steps.apply.kinds`.
"""

from agent.steps.apply.kinds import kind_of
from agent.steps.drain import refuse_while_open
from agent.steps.modules import confirm_old_modules, remember_modules
from agent.steps.service_manager import refuse_while_running
from agent.steps.table import Work


def apply_release(work: Work) -> None:
    """Have the ordered release in the app's folder, and the way back kept."""
    refuse_while_open(work)
    refuse_while_running(work)
    remember_modules(work)
    kind_of(work).apply(work)


def put_old_back(work: Work) -> None:
    """Undo: have the old release in the app's folder again; the new one is set aside."""
    refuse_while_open(work)
    refuse_while_running(work)
    kind_of(work).put_back(work)
    confirm_old_modules(work)


def delete_old(work: Work) -> None:
    """Tidy: delete the way back, and what was set aside. Never while there is no app."""
    kind_of(work).tidy(work)


def recover(work: Work) -> None:
    """Bring what was cut short to a runnable release; only the disk is believed."""
    kind_of(work).recover(work)
