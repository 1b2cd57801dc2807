"""What people see while their app is about to be closed, and who of them prints."""

from collections.abc import Iterable, Sequence

from agent.platforms.base import Platform
from agent.steps.families import Family
from agent.steps.grace import Grace
from agent.steps.table import Seat, Work
from agent.steps.windows import shown_at
from agent.wire.notices import Notice, NoticeKind

_RENEW_SECONDS = 5.0
_ASK_SECONDS = 5.0
_SLOW_SECONDS = 1.0
_SELDOM_SECONDS = 60.0


class Telling:
    """The notices of one drain: one in each session that has the app open."""

    def __init__(self, work: Work, grace: Grace) -> None:
        self._work = work
        self._grace = grace
        self._shown: dict[str, tuple[float, int]] = {}  # by session: its end, postpones left
        self._renewed = float("-inf")

    def renew(self, waiting: Iterable[Family], seats: Sequence[Seat]) -> None:
        """Show the notice where these programs are, and take it away where they no longer are."""
        families = list(waiting)
        sessions = {s.session for family in families for s in shown_at(family.members, seats)}
        if gone := self._shown.keys() - sessions:
            self._work.people.hush(sorted(gone))
            self._shown = {s: said for s, said in self._shown.items() if s in sessions}
        now = self._work.platform.clock()
        is_time = now - self._renewed >= _RENEW_SECONDS
        if families and not seats and is_time:  # no desktop says who is there: told to nobody
            self._work.people.show(notice_of(self._work, self._grace.left(), 0))
        for session in sorted(sessions):
            self._show(session, now, anew=is_time)
        self._renewed = now if is_time else self._renewed

    def _show(self, session: str, now: float, *, anew: bool) -> None:
        left, postpones = self._grace.left([session]), self._grace.postpones_left(session)
        said = (round(now + left), postpones)
        if anew or self._shown.get(session) != said:
            self._shown[session] = said
            self._work.people.show(notice_of(self._work, left, postpones), [session])


def notice_of(work: Work, seconds_left: float, postpones_left: int) -> Notice:
    """Return what people are told: what is going to happen, and who asked for it."""
    params = work.params
    return Notice(
        NoticeKind.CLOSE,
        work.profile.title,
        version=params.version,
        asked_by=params.asked_by,
        message=params.notice,
        seconds_left=seconds_left,
        takes=params.takes,
        postpones_left=postpones_left,
        drill=params.drill,
    )


class Prints:
    """Whose print jobs are not done; asked now and then, seldom where the answer is slow."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._users: frozenset[str] = frozenset()
        self._next = float("-inf")

    def are_of(self, user: str) -> bool:
        """True when the user has a print job that is not done."""
        now = self._platform.clock()
        if now >= self._next:
            self._users = frozenset(job.user for job in self._platform.print_jobs())
            slow = self._platform.clock() - now > _SLOW_SECONDS
            self._next = now + (_SELDOM_SECONDS if slow else _ASK_SECONDS)
        return user in self._users
