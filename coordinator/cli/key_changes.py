"""`roundsman keys ceremony|renew|rotate`: the changes of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from coordinator import ceremony
from coordinator.api.client import Client
from coordinator.api.key_schemas import CeremonyView, ChangeAsk, KeysView
from coordinator.api.schemas import ProgressView
from coordinator.ceremony import Draft, Opened, Present
from coordinator.cli.key_holders import (
    KeyPassphrases,
    Keys,
    NewPassphrases,
    Sheets,
    known,
    make_keys,
    open_keys,
    printed,
    root_of,
)
from coordinator.cli.output import Json, end, show
from coordinator.cli.signing import outcome, shown
from coordinator.cli.talk import Yes, agreed, talking
from coordinator.complaint import Complaint
from coordinator.signing import read_list

SIGN = "roundsman keys sign"
DONE = "the keys are changed; agents follow when they next ask"
_HANDED_OVER = f"{DONE}. The keys until now sign nothing any more: delete them"
SHEETS = Path("recovery-sheets")


def hand_over(
    keys: Annotated[int, typer.Option(help="How many keys, one for each person.")] = 3,
    threshold: Annotated[int, typer.Option(help="How many of them must sign.")] = 2,
    into: Annotated[
        list[Path] | None, typer.Option(help="Folder or stick for a new key; once for each.")
    ] = None,
    new_passphrases: NewPassphrases = None,
    old: Keys = None,
    old_passphrases: KeyPassphrases = None,
    sheets: Sheets = SHEETS,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make new keys, several of which must sign, in place of the present ones."""
    ceremony.check_numbers(keys, threshold)
    with talking() as client:
        found = known(client)
        by = open_keys(root_of(found).fingerprints, old, old_passphrases)
        root = root_of(found)
        instead = f"the present {root.threshold} of {len(root.fingerprints)}"
        question = f"Make {keys} keys, of which {threshold} must sign, in place of {instead}?"
        agreed(question, yes=yes)
        new = make_keys(keys, into or [], new_passphrases or [], quiet=as_json)
        what = [f"key {n} of {keys}, of which it takes {threshold}" for n in range(1, keys + 1)]
        made = printed(new, what, sheets, quiet=as_json)
        draft = ceremony.handed_over(_present(found), by, new, threshold)
        done = CeremonyView(made=made, progress=_propose(client, draft))
    show(done, lambda: outcome(done.progress, SIGN, _HANDED_OVER), as_json=as_json)
    end(needs_a_person=not done.progress.published)


def renew(
    keys: Keys = None,
    passphrases: Annotated[
        list[Path] | None,
        typer.Option("--passphrase-file", help="File whose first line opens a --key, in order."),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Sign root and list of releases anew: good for another year, another 90 days."""
    with talking() as client:
        found = known(client)
        by = open_keys(root_of(found).fingerprints, keys, passphrases)
        typer.echo("\n".join(shown(read_list(found.targets, client.content))), err=as_json)
        agreed("Sign this list, which is the published one, for a new term?", yes=yes)
        reached = _propose(client, ceremony.renewed(_present(found), by))
    tell(reached, "root and list of releases are renewed", as_json=as_json)


def rotate(
    lost: Annotated[
        str, typer.Option(help="Fingerprint of the key to replace, as keys list shows it.")
    ] = "",
    into: Annotated[Path | None, typer.Option(help="Folder or stick for the new key.")] = None,
    new_passphrases: NewPassphrases = None,
    old: Keys = None,
    old_passphrases: KeyPassphrases = None,
    online: Annotated[
        bool, typer.Option("--online", help="Replace the coordinator's own online key.")
    ] = False,
    sheets: Sheets = SHEETS,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Replace a key: one that was lost, by the others; the only one, by itself."""
    with talking() as client:
        found = known(client)
        if online:
            by = open_keys(root_of(found).fingerprints, old, old_passphrases)
            tell(_rotate_online(client, found, by, yes=yes), DONE, as_json=as_json)
            return
        gone = _gone(found, lost)
        by = open_keys(root_of(found).fingerprints, old, old_passphrases)
        _check_enough(found, gone, by)
        agreed(f"Replace the key {ceremony.in_fours(gone)} by a new one?", yes=yes)
        done = _replace(client, found, gone, by, _Place(into, new_passphrases, sheets, as_json))
    show(done, lambda: outcome(done.progress, SIGN, DONE), as_json=as_json)
    end(needs_a_person=not done.progress.published)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a new key goes, what locks it, and where its sheet goes."""

    into: Path | None
    passphrases: Sequence[Path] | None
    sheets: Path
    quiet: bool


def _replace(
    client: Client, found: KeysView, gone: str, by: Sequence[Opened], wanted: _Place
) -> CeremonyView:
    place = wanted.into or _beside(by, gone)
    folders, locks = [place] if place else [], wanted.passphrases or []
    new = make_keys(1, folders, locks, quiet=wanted.quiet)
    made = printed(new, [_about(found)], wanted.sheets, quiet=wanted.quiet)
    reached = _propose(client, ceremony.replaced(_present(found), gone, new[0], by))
    if reached.published and wanted.into is None and place is not None:
        ceremony.settle(new[0], place.parent)
    return CeremonyView(made=made, progress=reached)


def _rotate_online(
    client: Client, found: KeysView, by: Sequence[Opened], *, yes: bool
) -> ProgressView:
    agreed("Replace the coordinator's online key?", yes=yes)
    new = client.next_online_key()
    draft = ceremony.online_replaced(_present(found), new.fingerprint, new.key, by)
    return _propose(client, draft)


def _gone(found: KeysView, lost: str) -> str:
    """Return the fingerprint of the key that is to go. Raises `Complaint`."""
    known = root_of(found).fingerprints
    if lost:
        return ceremony.named_key(_present(found), lost)
    if len(known) > 1:
        raise Complaint(
            f"cannot replace a key: which of {', '.join(map(ceremony.in_fours, known))}?",
            "roundsman keys rotate --lost FINGERPRINT",
        )
    return known[0]


def _check_enough(found: KeysView, gone: str, by: Sequence[Opened]) -> None:
    root = root_of(found)
    left = len(root.fingerprints) - 1
    if left < root.threshold and gone not in {one.fingerprint for one in by}:
        raise Complaint(
            f"cannot replace the key {ceremony.in_fours(gone)}: it takes {root.threshold} of the "
            f"present keys to change one, and without it there are {left}",
            "put it back from its recovery sheet: roundsman keys recover SHEET --into FOLDER",
        )


def _beside(by: Sequence[Opened], gone: str) -> Path | None:
    """Return where a key waits that is to take the old one's place, None = ask."""
    found = [one.where for one in by if one.fingerprint == gone]
    return found[0] / "next" if found else None


def _about(found: KeysView) -> str:
    root = root_of(found)
    return f"one of {len(root.fingerprints)} keys, of which it takes {root.threshold}"


def _present(found: KeysView) -> Present:
    return Present(found.root, found.targets)


def _propose(client: Client, draft: Draft) -> ProgressView:
    return client.propose_change(ChangeAsk(roots=list(draft.roots), targets=draft.targets))


def tell(reached: ProgressView, done: str, *, as_json: bool) -> None:
    """Show how far a change has come; ends with 1 while signatures are missing."""
    show(reached, lambda: outcome(reached, SIGN, done), as_json=as_json)
    end(needs_a_person=not reached.published)
