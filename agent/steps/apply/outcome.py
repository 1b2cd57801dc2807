"""What the kinds ask and say at their ends: the installed version, time, a program's words."""

from collections.abc import Callable

from agent.platforms.base import Ended
from agent.steps.table import Cancelled, Failed, Work
from agent.steps.versions import is_told_by_running, read_version, where

_MOST = 200


def confirm_version(work: Work) -> None:
    """Note the installed version. Raises `Failed` when it is not the ordered one."""
    reader, wanted = work.profile.app.version, work.params.version
    if is_told_by_running(reader):
        return  # nothing runs now: check-health asks
    found = read_version(work, reader)
    work.fact("app_version", found.version)
    if found.version != wanted:
        why = found.why or f"{where(reader)} says {found.version}, not {wanted}"
        raise Failed(f"cannot confirm the new release: {why}")


def when_late(work: Work) -> Callable[[], None]:
    """Return what ends a program once the step's own time is up: it raises `Failed` then."""

    def check() -> None:
        try:
            work.pause(0)
        except Cancelled as error:
            raise Failed(f"cannot go on with what was run: {error}") from error

    return check


def told(ended: Ended) -> str:
    """Return the last line a program has printed, as the end of a sentence; "" for none."""
    lines = [line.strip() for line in ended.output.splitlines() if line.strip()]
    last = "".join(c if c.isprintable() else " " for c in lines[-1]) if lines else ""
    return f': it says "{last[:_MOST]}"' if last else ""
