"""The line to the coordinator, as this user's own folder says."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from coordinator.access import PASSPHRASE_VARIABLE, read_access
from coordinator.api.asks import first_fault
from coordinator.api.client import Client
from coordinator.complaint import Complaint
from coordinator.folders import operator_folder

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line is the passphrase."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
IN_A_FILE = f"name a file with it: --passphrase-file FILE; or set {PASSPHRASE_VARIABLE}"
A_GOOD_ONE = "at least 12 characters"  # coordinator.releases.keys asks for so many
M = TypeVar("M", bound=BaseModel)


@contextmanager
def talking() -> Iterator[Client]:
    """Yield a line to the coordinator. Raises `Complaint`."""
    with Client(read_access(operator_folder())) as client:
        yield client


def ask(kind: type[M], **values: object) -> M:
    """Return what is to be sent, judged before it is. Raises `Complaint`."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Complaint(f"cannot ask: {first_fault(error)}") from None


def read_text(file: Path) -> str:
    """Return what a file says. Raises `Complaint`."""
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    except UnicodeError:
        raise Complaint(f"cannot read {file}: not UTF-8 text") from None


def write_text(file: Path, content: str) -> None:
    """Write a file. Raises `Complaint`."""
    try:
        file.write_text(content, "utf-8")
    except OSError as error:
        raise Complaint(f"cannot write {file}: {error.strerror}") from None


def read_first_line(file: Path) -> str:
    """Return the first line of a file. Raises `Complaint`."""
    return (read_text(file).splitlines() or [""])[0]


def passphrase(file: Path | None, *, confirm: bool) -> str:
    """Return the signing key's passphrase: from a file, the environment, or whoever sits here."""
    if file is not None:
        return read_first_line(file)
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given:
        return given
    about = "Passphrase of the signing key" + (f" ({A_GOOD_ONE})" if confirm else "")
    return secret(about, IN_A_FILE, confirm=confirm)


def secret(about: str, instead: str, *, confirm: bool = False) -> str:
    """Return what nobody else may read, typed by whoever sits here.

    Without a terminal a line of the standard input is taken for it, and it is said how else it
    may be given: `instead`. Raises `Complaint` when there is no such line.
    """
    if _is_at_a_terminal():
        return str(typer.prompt(about, hide_input=True, confirmation_prompt=confirm, err=True))
    typer.echo(
        f"{about}: read from standard input, as this is no terminal; or {instead}", err=True
    )
    lines = [sys.stdin.readline() for _ in range(2 if confirm else 1)]
    if not all(lines):
        raise Complaint(f"cannot ask for it: {about.strip()}: this is no terminal", instead)
    if len(set(lines)) > 1:
        raise Complaint(f"cannot use it: {about.strip()}: the two lines are not the same")
    return lines[0].rstrip("\r\n")


def _is_at_a_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def agreed(question: str, *, yes: bool) -> None:
    """Return when the person agrees, or has said so beforehand; ends the command otherwise."""
    if not yes:
        typer.confirm(question, abort=True)
