"""`roundsman release unsigned|sign|publish`: signing, here or on a PC without a coordinator.

Where several must sign, each does it on their own: the coordinator keeps the signatures, or a
file carries them from one PC to the next.
"""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.client import Client
from coordinator.api.key_schemas import ChangeAsk
from coordinator.api.schemas import ProgressView, UnsignedView
from coordinator.ceremony import in_fours
from coordinator.cli.output import Json, end, show, size, table
from coordinator.cli.talk import PassphraseFile, Yes, agreed, passphrase, talking
from coordinator.complaint import Complaint
from coordinator.folders import home_folder, operator_folder
from coordinator.papers import Paper, read_paper, with_contents, write_paper
from coordinator.signed_before import keep_signed, signed_before
from coordinator.signing import Vouched, found_key, read_list, sign_list

Key = Annotated[
    Path | None, typer.Option(help="The signing key, or the folder or stick it is on.")
]
From = Annotated[
    Path | None,
    typer.Option("--from", help="Sign what this file holds; needs no coordinator."),
]
To = Annotated[Path | None, typer.Option("--to", help="Write it into this file, to be carried.")]
SIGN = "roundsman release sign"


def unsigned(to: To = None, as_json: Json = False) -> None:
    """Show what waits for a signature. Exits 1 when something does."""
    with talking() as client:
        found = client.unsigned()
        if to is not None:
            write_paper(to, _carried(client, found))
    waits = [t for t in found.targets if t.new] or found.withdrawn
    show(found, lambda: _waiting(found, to), as_json=as_json)
    end(needs_a_person=bool(waits))


def _carried(client: Client, found: UnsignedView) -> Paper:
    named = [(item.name, item.sha256) for item in read_list(found.unsigned, client.content)]
    return with_contents(Paper(found.unsigned), named, client.content)


def _waiting(found: UnsignedView, to: Path | None) -> str:
    rows = [(t.name, t.sha256[:16], "onto the list") for t in found.targets if t.new]
    rows += [(t.name, t.sha256[:16], "off the list") for t in found.withdrawn]
    said = [table(("target", "sha256", "goes"), rows, "Nothing waits."), *_notes(found)]
    if found.progress.done:
        said.append(next_to_sign(found.progress, SIGN))
    if to is not None:
        said.append(f"{to} is ready: {SIGN} --from {to} --to FILE, on any PC with Roundsman")
    return "\n".join(said)


def _notes(found: UnsignedView) -> list[str]:
    """Return what somebody who signs must know beside the list."""
    notes = []
    if found.dropped:
        notes.append(
            f"{found.dropped} signatures were dropped: the list has changed since; "
            "everybody signs the present one"
        )
    if found.overtakes:
        notes.append(
            "a change of keys waits for signatures; publishing this list first ends it: "
            "roundsman keys unsigned"
        )
    return notes


def sign(
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    source: From = None,
    to: To = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show what is to be signed, sign it here, publish it once enough have. Exits 1 before."""
    if source is not None:
        _sign_paper(source, to, Signing(key, passphrase_file, yes=yes, as_json=as_json))
        return
    with talking() as client:
        found = client.unsigned()
        signing = Signing(key, passphrase_file, yes=yes, as_json=as_json)
        new = {t.name for t in found.targets if t.new}
        vouched = read_list(found.unsigned, client.content)
        done = client.publish(signing.sign(found.unsigned, vouched, _notes(found), new))
    said = f"the list is signed and published; on it: {len(done.targets)}"
    show(done, lambda: outcome(done.progress, SIGN, said), as_json=as_json)
    end(needs_a_person=not done.progress.published)


class Signing:
    """One signature: by which key, and whether the person has agreed beforehand."""

    def __init__(
        self, key: Path | None, passphrase_file: Path | None, *, yes: bool, as_json: bool
    ) -> None:
        self._key = key
        self._passphrase_file = passphrase_file
        self._yes = yes
        self._as_json = as_json

    def sign(
        self, unsigned: str, vouched: list[Vouched], notes: list[str], new: set[str] | None
    ) -> str:
        """Show a list, ask, and return it signed. Raises `Complaint`."""
        file, own = found_key(self._key, home_folder()), operator_folder()
        before = signed_before(own, file)
        said = [*notes, *shown(vouched, new, before), *no_more(vouched, before)]
        typer.echo("\n".join(said), err=self._as_json)
        agreed("Sign this list? Agents will accept what is on it", yes=self._yes)
        signed = sign_list(unsigned, file, passphrase(self._passphrase_file, confirm=False))
        keep_signed(own, file, vouched)
        return signed


def _sign_paper(source: Path, to: Path | None, signing: Signing) -> None:
    if to is None:
        raise Complaint(
            "cannot sign a file without one to write: into which?",
            f"{SIGN} --from {source} --to FILE",
        )
    paper = read_paper(source)
    if paper.roots:
        raise Complaint(
            f"cannot sign {source} as a release: it changes the keys themselves",
            f"roundsman keys sign --from {source} --to FILE",
        )
    signed = signing.sign(paper.targets, read_list(paper.targets, paper.fetch), [], None)
    write_paper(to, Paper(signed, contents=paper.contents))
    typer.echo(f"{to} is signed; next: roundsman release publish {to}, or the next to sign")


def publish(
    file: Annotated[Path, typer.Argument(help="What release sign or keys sign has written.")],
    as_json: Json = False,
) -> None:
    """Hand in what was signed on another PC. Exits 1 while signatures are missing."""
    paper = read_paper(file)
    with talking() as client:
        if paper.roots:
            ask = ChangeAsk(roots=list(paper.roots), targets=paper.targets)
            reached = client.sign_change(ask)
        else:
            reached = client.publish(paper.targets).progress
    what = "the keys are changed" if paper.roots else "the list is published"
    again = "roundsman keys sign" if paper.roots else SIGN
    show(reached, lambda: outcome(reached, again, what), as_json=as_json)
    end(needs_a_person=not reached.published)


def outcome(reached: ProgressView, command: str, done: str) -> str:
    """Return what became of a signature: done, or who is next."""
    return done if reached.published else next_to_sign(reached, command)


def next_to_sign(reached: ProgressView, command: str) -> str:
    """Return how many have signed, who may be next, and what they type."""
    signed = f"; so far: {', '.join(map(in_fours, reached.signed))}" if reached.signed else ""
    others = " or ".join(in_fours(fingerprint) for fingerprint in reached.may_sign)
    return (
        f"{reached.done} of {reached.threshold} signatures{signed}; "
        f"the next: who has the key {others}, there: {command} --key FILE"
    )


def shown(
    vouched: list[Vouched],
    new: set[str] | None = None,
    before: frozenset[tuple[str, str]] = frozenset(),
) -> list[str]:
    """Return what a signature would vouch for, in words: first what is new, where that is known.

    Only what this key has signed here `before`, by name and SHA-256, is cut to one line.
    """
    known = [v for v in vouched if v.name not in (new or ()) and (v.name, v.sha256) in before]
    whole = [v for v in vouched if v not in known]
    whole.sort(key=lambda item: item.name not in (new or ()))
    said = [_one(item, _news(item.name, new)) for item in whole]
    said += [f"as before: {item.name} sha256 {item.sha256[:16]}" for item in known]
    return said or ["The list is empty."]


def no_more(vouched: list[Vouched], before: frozenset[tuple[str, str]]) -> list[str]:
    """Return what this key has signed here and would not vouch for any more."""
    listed = {item.name for item in vouched}
    gone = sorted((name, sha256) for name, sha256 in before if name not in listed)
    return [f"no more on the list: {name}  sha256 {sha256}" for name, sha256 in gone]


def _news(name: str, new: set[str] | None) -> str:
    if new is None:
        return ""
    return " (new)" if name in new else " (as before)"


def _one(item: Vouched, news: str) -> str:
    head = f"{item.name}{news}  sha256 {item.sha256}"
    is_package = item.what == "package"
    said = [f"{item.files} files, {size(item.size)} unpacked"] if is_package else []
    said += [f"from the zip with sha256 {item.content}"] if is_package else []
    return "\n".join([head, *(f"  {line}" for line in (*said, *item.actions))])
