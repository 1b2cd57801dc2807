"""Everything slow, before the exclusive part: fetch, verify, unpack, a first pass of the backup.

What staging is depends on how the release is put in place (`agent.steps.apply.kinds`). May run
again at any time: what is there and whole is left as it is.
"""

from agent.steps.apply.kinds import kind_of
from agent.steps.back_up import first_pass
from agent.steps.service_unit import forget, prepare
from agent.steps.table import Work


def stage(work: Work) -> None:
    """Have the release ready to be put in place, and most of the backup made."""
    kind_of(work).stage(work)
    first_pass(work)
    prepare(work)


def unstage(work: Work) -> None:
    """Delete what was fetched for this rollout and not put in place."""
    kind_of(work).unstage(work)
    forget(work)
