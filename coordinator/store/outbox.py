"""Mail that is to be sent: written in the transaction that writes what it tells of, sent later.

So no mail is lost with the daemon, and none is written for what was rolled back. A mail may be
sent twice when the daemon dies between the two; its Message-ID is the same then.
"""

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from agent.wire.contract import CordonMode
from coordinator.model import Plan
from coordinator.store.database import reader
from coordinator.store.plans import read_plan
from coordinator.store.tables import command, cordon, mail, operator, rollout
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState

REMIND_SECONDS = 4 * 3600.0
"""What needs somebody is told again after so long, when nobody has said a word to the rollout."""
FIRST_WAIT, LONGEST_WAIT = 60.0, 3600.0
GIVE_UP_SECONDS = 3 * 86_400.0


class MailKind(StrEnum):
    """What a mail says."""

    NEEDS_YOU = "needs-you"
    AVAILABLE = "available"
    PARTLY = "partly"  # available again, but for the hosts it names
    STOPPED = "stopped"  # open again, on the release it had
    LEFT_CLOSED = "left-closed"
    OPENED = "opened"  # on the spot, with its code say


class NoticeKind(StrEnum):
    """What a mail says that is about no rollout."""

    EXPIRES = "expires"
    RELEASE = "release"  # a vendor offers a newer one


class MailState(StrEnum):
    """How far a mail has come."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given-up"


Post = Callable[[Connection, str, News], None]
"""Hears of a rollout's news, by its id, in the transaction that writes them."""


def post_nowhere(_connection: Connection, _rollout_id: str, _news: News) -> None:
    """Tell nobody: no mail server is set."""


"""Hears of a host that was opened on the spot: nobody is told by mail."""


KINDS: dict[RolloutState, MailKind] = {
    RolloutState.NEEDS_OPERATOR: MailKind.NEEDS_YOU,
    RolloutState.DONE: MailKind.AVAILABLE,
    RolloutState.PARTLY_DONE: MailKind.PARTLY,
    RolloutState.ABORTED: MailKind.STOPPED,
    RolloutState.LEFT_CLOSED: MailKind.LEFT_CLOSED,
}
"""Which news is mailed, and as what; other news is not."""


@dataclass(frozen=True, slots=True)
class MailRow:
    """One mail to one recipient."""

    number: int
    rollout: str  # "" = about none
    event: str
    recipient: str
    kind: MailKind | NoticeKind
    detail: str
    mend: str
    message_id: str
    state: MailState
    at: float
    next_try: float
    tries: int
    ended: float | None
    problem: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told by mail that is about no rollout."""

    kind: NoticeKind
    event: str  # the same for the same: it is not told again within the interval
    detail: str
    mend: str
    every_seconds: float


def backoff(tries: int) -> float:
    """Return how long to wait after so many tries, seconds."""
    return min(FIRST_WAIT * 2.0 ** min(tries - 1, 10), LONGEST_WAIT)


class Outbox:
    """The mails of one database; `standing` are told of every rollout."""

    def __init__(
        self,
        engine: Engine,
        standing: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._standing = tuple(standing)
        self._clock = clock

    def post(self, c: Connection, rollout_id: str, item: News) -> None:
        """Write, in the caller's transaction, the mails that news of a rollout asks for."""
        kind = KINDS.get(item.rollout)
        if kind is None or item.host:
            return
        event, since = self._event(c, rollout_id, item)
        told = _told(c, rollout_id, event, since)
        for recipient in self._recipients(kind, *_concerned(c, rollout_id)):
            if recipient.lower() not in told:
                self._write(c, kind, item, rollout_id, event, recipient)

    def opened(self, c: Connection, rollout_id: str, item: News) -> None:
        """Write, in the caller's transaction, that a host was opened on the spot, at once."""
        for recipient in self._recipients(MailKind.OPENED, *_concerned(c, rollout_id)):
            self._write(c, MailKind.OPENED, item, rollout_id, f"opened/{item.host}", recipient)

    def announce(self, notice: Notice, others: Collection[str] = ()) -> int:
        """Write a mail that is about no rollout, to the standing recipients and some others.

        Who was told the same less than its interval ago is not told again. Returns to how many
        it is written.
        """
        item = News(RolloutState.NEEDS_OPERATOR, notice.detail, notice.mend)
        to = {address.lower(): address for address in (*self._standing, *others) if address}
        with self._engine.begin() as c:
            told = _told(c, "", notice.event, self._clock() - notice.every_seconds)
            for recipient in (new := [to[key] for key in to if key not in told]):
                self._write(c, notice.kind, item, "", notice.event, recipient)
        return len(new)

    def remind(self) -> None:
        """Write again the mails of what has waited for somebody so long: a walk tells it once."""
        long_ago = self._clock() - REMIND_SECONDS
        waits = (rollout.c.state == RolloutState.NEEDS_OPERATOR) & (rollout.c.since <= long_ago)
        with self._engine.begin() as c:
            for row in c.execute(select(rollout).where(waits)).mappings().all():
                news = News(RolloutState.NEEDS_OPERATOR, row["detail"], row["mend"])
                self.post(c, row["id"], news)

    def _event(self, c: Connection, rollout_id: str, item: News) -> tuple[str, float]:
        """Return what is told, and since when a mail that told it counts."""
        heard = c.scalar(select(func.max(command.c.number)).where(command.c.rollout == rollout_id))
        what = sha256(item.mend.encode()).hexdigest()[:16]  # the detail may count seconds
        since = 0.0 if item.rollout.is_final else self._clock() - REMIND_SECONDS
        return f"{item.rollout}/{what}/{heard or 0}", since

    def _recipients(self, kind: MailKind, own: str, named: Collection[str]) -> list[str]:
        """Return who is told; the rollout's own recipients only how it ends, if they can."""
        first = [a for a in (own, *self._standing) if a]
        is_theirs = kind not in {MailKind.NEEDS_YOU, MailKind.OPENED}
        everybody = [*first, *named] if is_theirs or not first else first
        return list({a.lower(): a for a in reversed(everybody)}.values())[::-1]

    def _write(
        self,
        c: Connection,
        kind: MailKind | NoticeKind,
        item: News,
        rollout_id: str,
        event: str,
        to: str,
    ) -> None:
        now = self._clock()
        c.execute(
            insert(mail).values(
                rollout=rollout_id, event=event, recipient=to, kind=kind.value,
                detail=item.detail, mend=item.mend, message_id=secrets.token_hex(16),
                state=MailState.WAITING.value, at=now, next_try=now, tries=0, problem="",
            )
        )  # fmt: skip

    def starter(self, rollout_id: str) -> str:
        """Return the address of who started a rollout, "" = none known."""
        with self._reads.connect() as c:
            return _concerned(c, rollout_id)[0]

    def closed(self, plan: Plan) -> tuple[str, ...]:
        """Return the names of a plan's hosts on which its app is kept closed."""
        query = (
            select(cordon.c.host)
            .join(rollout, rollout.c.id == cordon.c.rollout)
            .where(rollout.c.app == plan.app, cordon.c.opened == 0)
            .where(cordon.c.mode != CordonMode.NONE.value)
        )
        with self._reads.connect() as c:
            found = set(c.scalars(query))
        return tuple(planned.name for planned in plan.hosts if planned.id in found)

    def due(self) -> list[MailRow]:
        """Return the mails whose time has come, oldest first."""
        is_due = (mail.c.state == MailState.WAITING.value) & (mail.c.next_try <= self._clock())
        with self._reads.connect() as c:
            query = select(mail).where(is_due).order_by(mail.c.number)
            return [_row(row) for row in c.execute(query).mappings()]

    def latest(self, most: int = 200) -> list[MailRow]:
        """Return the last mails, newest first; those not sent before all others."""
        unsent = (mail.c.state == MailState.SENT.value).asc()
        with self._reads.connect() as c:
            query = select(mail).order_by(unsent, mail.c.number.desc()).limit(most)
            return [_row(row) for row in c.execute(query).mappings()]

    def sent(self, number: int) -> None:
        """Write that a mail was taken by the mail server."""
        self._end(number, MailState.SENT, "")

    def give_up(self, number: int, problem: str) -> None:
        """Write that a mail will not be sent, and why."""
        self._end(number, MailState.GIVEN_UP, problem)

    def put_off(self, row: MailRow, problem: str) -> None:
        """Write that a mail could not be sent now; given up once it is three days old."""
        now = self._clock()
        if now - row.at >= GIVE_UP_SECONDS:
            self.give_up(row.number, problem)
            return
        tries = row.tries + 1
        self._change(row.number, tries=tries, next_try=now + backoff(tries), problem=problem[:500])

    def _end(self, number: int, state: MailState, problem: str) -> None:
        self._change(number, state=state.value, ended=self._clock(), problem=problem[:500])

    def _change(self, number: int, **values: object) -> None:
        waits = (mail.c.number == number) & (mail.c.state == MailState.WAITING.value)
        with self._engine.begin() as c:
            c.execute(update(mail).where(waits).values(**values))


def _concerned(c: Connection, rollout_id: str) -> tuple[str, tuple[str, ...]]:
    """Return the address of who started the rollout, "" = none known, and its recipients."""
    row = c.execute(select(rollout).where(rollout.c.id == rollout_id)).mappings().first()
    if row is None:
        return "", ()
    own = select(operator.c.mail).where(operator.c.name == row["started_by"])
    return c.scalar(own) or "", read_plan(row["plan"]).mail


def _told(c: Connection, rollout_id: str, event: str, since: float) -> set[str]:
    where = (mail.c.rollout == rollout_id) & (mail.c.event == event) & (mail.c.at > since)
    return {found.lower() for found in c.scalars(select(mail.c.recipient).where(where))}


def _row(row: RowMapping) -> MailRow:
    kind = (MailKind if row["rollout"] else NoticeKind)(row["kind"])
    values = {**row, "kind": kind, "state": MailState(row["state"])}
    return MailRow(**values)
