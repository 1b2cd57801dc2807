"""The one-time code that opens a host: whether it is the right one, and what is said if not.

Said to a person who needs the app now, in fixed sentences: the desktop has them in its language.
"""

import time

from agent.journal import Journal
from agent.records import CordonRecord
from agent.wire.codes import code_fits

NOTHING_CLOSED = "nothing is kept closed on this PC"
TOO_MANY = "too many codes were tried on this PC: wait a minute, then try again"
NOT_THE_CODE = (
    "this is not the code of this PC: look at each letter again, or ask the person who runs "
    "the update for the code of this PC"
)
_MOST_LETTERS = 100


class CodeRefused(Exception):  # noqa: N818 - reads better where it is raised
    """The host stays closed, and why."""


def check_code(journal: Journal, record: CordonRecord, code: str, who: str) -> None:
    """Count a try of a user, "" = the administrator, and compare; the count outlives the agent.

    Who types wrong codes keeps nobody else from typing the right one. Raises `CodeRefused` and
    `JournalError`.
    """
    if not journal.may_try_code(time.time(), who):
        raise CodeRefused(TOO_MANY)
    if not code_fits(code[:_MOST_LETTERS], record.code_salt, record.code_hash):
        raise CodeRefused(NOT_THE_CODE)
