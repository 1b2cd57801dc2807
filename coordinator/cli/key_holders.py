"""The people who have keys: asked for folders, sticks and passphrases, one key at a time."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer

from coordinator import ceremony
from coordinator.access import PASSPHRASE_VARIABLE, fingerprint_of, read_access
from coordinator.api.client import Client
from coordinator.api.key_schemas import KeysView, MadeKeyView, RoleView
from coordinator.ceremony import Opened
from coordinator.cli.talk import A_GOOD_ONE, read_first_line, secret
from coordinator.complaint import Complaint
from coordinator.folders import home_folder, operator_folder
from coordinator.signing import found_key

Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="A key that signs now, or its folder or stick; once for each."),
]
KeyPassphrases = Annotated[
    list[Path] | None,
    typer.Option(
        "--key-passphrase-file",
        help="File whose first line opens a --key; once for each, in order.",
    ),
]
NewPassphrases = Annotated[
    list[Path] | None,
    typer.Option(
        "--passphrase-file", help="File whose first line locks a new key; once for each, in order."
    ),
]
Sheets = Annotated[
    Path, typer.Option(help="Folder for the recovery sheets, to be printed and then deleted.")
]

_HOW_TO_OPEN = (
    "name a file with it, for each --key: --key-passphrase-file FILE, or --passphrase-file FILE "
    f"where no key is made; or set {PASSPHRASE_VARIABLE}"
)
_HOW_TO_LOCK = "name a file with it, for each new key: --passphrase-file FILE"


def known(client: Client) -> KeysView:
    """Return the keys of the fleet, which follow from those seen before. Raises `Complaint`."""
    found = client.keys()
    folder = operator_folder()
    fleet = fingerprint_of(read_access(folder).ca.read_bytes())[:16]
    ceremony.follow(folder / f"root-{fleet}.json", found.roots)
    return found


def root_of(found: KeysView) -> RoleView:
    """Return who signs root and list."""
    return next(role for role in found.roles if role.role == "root")


def open_keys(
    may_sign: Collection[str], files: Sequence[Path] | None, passphrases: Sequence[Path] | None
) -> list[Opened]:
    """Return the keys with which somebody signs here, opened. Raises `Complaint`.

    Args:
        may_sign: The fingerprints of the keys whose signatures count.
        files: The keys, or the folders that they are in; the home's own when none is named.
        passphrases: Files with their passphrases, in the same order; else they are asked for.
    """
    opened: list[Opened] = []
    locks = [*(passphrases or [])]
    for number, given in enumerate(files or [None]):
        file = found_key(given, home_folder())
        lock = locks[number] if number < len(locks) else None
        key = ceremony.open_key(file, _passphrase_of(file, lock))
        _check(may_sign, key, opened)
        opened.append(key)
    return opened


def _check(may_sign: Collection[str], key: Opened, opened: Sequence[Opened]) -> None:
    name = ceremony.in_fours(key.fingerprint)
    if key.fingerprint not in may_sign:
        raise Complaint(
            f"cannot sign with the key {name} in {key.where}: it is none of those that may sign",
            "roundsman keys list shows them; a key that was replaced is worth nothing any more",
        )
    if key.fingerprint in [one.fingerprint for one in opened]:
        raise Complaint(f"cannot sign twice with the key {name}: one key counts once")


def _passphrase_of(file: Path, lock: Path | None) -> str:
    if lock is not None:
        return read_first_line(lock)
    given = os.environ.get(PASSPHRASE_VARIABLE)
    return given or secret(f"Passphrase of the key {file}", _HOW_TO_OPEN)


def make_keys(
    count: int, folders: Sequence[Path], locks: Sequence[Path], *, quiet: bool
) -> list[Opened]:
    """Make keys, one after the other, each where its holder says. Raises `Complaint`."""
    made: list[Opened] = []
    used: list[str] = []
    for number in range(count):
        typer.echo(f"Key {number + 1} of {count}", err=quiet)
        folder = folders[number] if number < len(folders) else _folder()
        words = read_first_line(locks[number]) if number < len(locks) else _new_passphrase()
        if words in used:
            raise Complaint(
                f"cannot make key {number + 1}: another has the same passphrase",
                "each key has a passphrase of its own, which only its holder knows",
            )
        used.append(words)
        made.append(ceremony.make_key(folder.expanduser(), words))
        fingerprint = ceremony.in_fours(made[-1].fingerprint)
        typer.echo(f"  {fingerprint} is in {made[-1].where}", err=quiet)
    return made


def _folder() -> Path:
    return Path(str(typer.prompt("  Folder or stick to put it into", err=True)))


def _new_passphrase() -> str:
    about = f"  Its passphrase, typed by who will have it ({A_GOOD_ONE})"
    return secret(about, _HOW_TO_LOCK, confirm=True)


def printed(
    made: Sequence[Opened], what: Sequence[str], folder: Path, *, quiet: bool
) -> list[MadeKeyView]:
    """Write and show the recovery sheet of each key. Raises `Complaint`."""
    views: list[MadeKeyView] = []
    for key, about in zip(made, what, strict=True):
        sheet = ceremony.sheet_of(key, about)
        files = [str(file) for file in ceremony.write_sheet(folder, sheet)]
        views.append(MadeKeyView(fingerprint=key.fingerprint, folder=str(key.where), sheets=files))
        if not quiet:
            typer.echo(f"\n{ceremony.sheet_text(sheet)}")
    typer.echo(f"The sheets are in {folder}: print them, then delete the folder.", err=quiet)
    return views
