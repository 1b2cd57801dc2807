"""Tells everybody at this host that an update is coming, and goes on at once."""

from agent.steps.table import Work
from agent.wire.notices import Notice, NoticeKind


def announce(work: Work) -> None:
    """Show the notice in every session; it stays until each person has dismissed it."""
    params = work.params
    work.people.show(
        Notice(
            NoticeKind.AHEAD,
            work.profile.title,
            version=params.version,
            asked_by=params.asked_by,
            message=params.notice,
            seconds_left=params.starts_in,
            takes=params.takes,
            drill=params.drill,
        )
    )
