"""Sends what is in the outbox, one mail after the other, in one thread of the daemon.

Nothing waits for it: who writes a mail has only written a row. When the mail server cannot be
used, all that is due is put off; when it breaks off over one mail, that mail is. One that it
refuses for good, or that cannot be made, is given up at once.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from email.message import EmailMessage

from coordinator.mail_settings import MailSettings
from coordinator.model import Plan
from coordinator.notify.letter import Story, notice_mail, rollout_mail, trial_mail
from coordinator.notify.line import USUAL, MailError, Patience, RefusedForGood, ServerAway, send
from coordinator.report.rollout import rollout_report
from coordinator.store.database import StoreTrouble
from coordinator.store.outbox import MailRow, NoticeKind, Outbox
from coordinator.store.rollouts import Rollouts

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 2.0
_REMIND_LOOK_SECONDS = 600.0
_CLOSE_SECONDS = 5.0
_TOO_SLOW = "not tried: the mail server takes too long"
_FORGOTTEN = "what it tells of is not known any more"


class Postman:
    """The one that sends; `title` says how people know the application of a plan."""

    def __init__(
        self,
        settings: MailSettings,
        outbox: Outbox,
        rollouts: Rollouts,
        title: Callable[[Plan], str],
        patience: Patience = USUAL,
    ) -> None:
        self.recipients = settings.recipients
        self.outbox = outbox
        self._settings = settings
        self._rollouts = rollouts
        self._title = title
        self._patience = patience
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a mail under way may end within some seconds, or is sent again later."""
        self._stopping.set()
        self._thread.join(_CLOSE_SECONDS)

    @property
    def is_alive(self) -> bool:
        """True while it sends."""
        return self._thread.is_alive()

    def _run(self) -> None:
        reminded = -_REMIND_LOOK_SECONDS
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                if time.monotonic() - reminded >= _REMIND_LOOK_SECONDS:
                    self.outbox.remind()
                    reminded = time.monotonic()
                self.round()
            except StoreTrouble as error:  # what is not written is looked at again
                _log.warning("cannot read or write the outbox", extra={"why": str(error)})

    def round(self) -> int:
        """Try all mails whose time has come; return how many were sent."""
        due, count = self.outbox.due(), 0
        for place, row in enumerate(due):
            if self._stopping.is_set():
                break
            try:
                count += self._deliver(row)
            except ServerAway as error:
                self._put_off(due[place:], str(error))
                break
        return count

    def _deliver(self, row: MailRow) -> bool:
        """Send one mail; True when the server took it. Raises `ServerAway`."""
        try:
            why = self._hand_over(row)
        except (ServerAway, StoreTrouble):
            raise
        except RefusedForGood as error:
            why = str(error)
        except MailError as error:
            self._put_off([row], str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a rim: one mail never stops the others
            why = f"cannot make this mail: {error!r}"
        if why:
            self.outbox.give_up(row.number, why)
            _log.warning("mail given up", extra=_about(row) | {"why": why})
            return False
        self.outbox.sent(row.number)
        _log.info("mail sent", extra=_about(row))
        return True

    def _hand_over(self, row: MailRow) -> str:
        """Make a mail and send it; return why it cannot be made, "" when the server took it."""
        mail = self._made(row)
        if mail is None:
            return _FORGOTTEN
        send(self._settings, mail, row.recipient, self._patience)
        return ""

    def _made(self, row: MailRow) -> EmailMessage | None:
        if isinstance(row.kind, NoticeKind):
            return notice_mail(self._settings, row)
        story = self._story(row)
        return None if story is None else rollout_mail(self._settings, row, story)

    def _put_off(self, rows: Iterable[MailRow], why: str) -> None:
        for row in rows:
            self.outbox.put_off(row, why)
            _log.warning("mail put off", extra=_about(row) | {"why": why})

    def _story(self, row: MailRow) -> Story | None:
        told, of = self._rollouts, row.rollout
        found = told.find(of)
        if found is None:
            return None
        report = rollout_report(found, told.visits(of), told.steps(of), told.history(of))
        closed = self.outbox.closed(found.plan)
        return Story(found, report, self._title(found.plan), closed, self.outbox.starter(of))

    def try_out(self, recipients: Sequence[str]) -> list[str]:
        """Send tests at once; return what is wrong with each, "" when the server took it."""
        said: list[str] = []
        latest, why_not = time.monotonic() + self._patience.tests, ""
        for recipient in recipients:
            try:
                said.append(why_not or self._try_out(recipient))
            except ServerAway as error:  # it is away for all of them
                why_not = str(error)
                said.append(why_not)
            if not why_not and time.monotonic() >= latest:
                why_not = _TOO_SLOW
        return said

    def _try_out(self, recipient: str) -> str:
        mail = trial_mail(self._settings, recipient, secrets.token_hex(16), time.time())
        try:
            send(self._settings, mail, recipient, self._patience)
        except ServerAway:
            raise
        except MailError as error:
            return str(error)
        return ""


def _about(row: MailRow) -> dict[str, object]:
    return {"mail": row.number, "rollout": row.rollout, "kind": row.kind.value, "tries": row.tries}
