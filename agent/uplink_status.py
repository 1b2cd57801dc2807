"""Where each line to a coordinator stands, kept in a file for `roundsman-agent status`."""

from dataclasses import dataclass
from enum import StrEnum
from json import dumps, loads
from pathlib import Path
from typing import Annotated

from agent.wire.atomic import READABLE, write_whole
from agent.wire.bounds import Entries, Number, Text
from agent.wire.codec import decode, encode
from agent.wire.contract import Sentence
from agent.wire.errors import LinkRefusal

FILE_NAME = "links.json"
"""Its name in the agent's state folder."""


class LineState(StrEnum):
    """How one line to a coordinator stands."""

    DIALING = "dialing"
    LINKED = "linked"
    LOST = "lost"  # dials again shortly
    REFUSED = "refused"  # a person must act; dials again now and then
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LineStanding:
    """One line: whom it dials, how it stands, since when (seconds since 1970), why."""

    address: Annotated[str, Text(300)]
    state: LineState
    since: Annotated[float, Number(0, 1e11)]
    refusal: LinkRefusal | None = None
    message: Sentence = ""


@dataclass(frozen=True, slots=True)
class UplinkStatus:
    """All the lines of one agent."""

    lines: Annotated[tuple[LineStanding, ...], Entries(32)] = ()


REFUSALS: dict[LinkRefusal, str] = {
    LinkRefusal.CERTIFICATE: "the certificates of this PC and of the coordinator do not fit: "
    "check the clock of both, then enrol this PC again",
    LinkRefusal.WRONG_ROLE: "the certificate at one end is not for this use: enrol this PC again",
    LinkRefusal.REVOKED: "the certificate of this PC was revoked: enrol it again to use it",
    LinkRefusal.PROTOCOL_MISMATCH: "agent and coordinator speak different protocol versions: "
    "install the coordinator's version of the agent",
    LinkRefusal.ALREADY_LINKED: "this PC is linked to that coordinator already, over another "
    "address: nothing to do, or leave one of the addresses out of agent.toml",
    LinkRefusal.CLONE: "another PC holds the same certificate, as cloned disks do: "
    "enrol this PC again",
    LinkRefusal.BAD_HELLO: "the coordinator cannot read what this agent answers: "
    "install the coordinator's version of the agent",
    LinkRefusal.UNTOLD: "the coordinator refuses this PC for a reason that this version of the "
    "agent does not know: install the coordinator's version of the agent",
}
"""What a person is told of each refusal: why, and what to do."""


def write_status(path: Path, status: UplinkStatus) -> None:
    """Replace the file at `path`. Raises `OSError`."""
    write_whole(path, dumps(encode(status), indent=1).encode("utf-8"), READABLE)


def read_status(path: Path) -> UplinkStatus:
    """Return what the agent last wrote. Raises `OSError`, or `ValueError` when it is no status."""
    return decode(UplinkStatus, loads(path.read_text(encoding="utf-8")))
