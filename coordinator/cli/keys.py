"""`roundsman keys`: which keys sign what may be installed, and how they are renewed and replaced.

Private keys never leave the machine on which this runs; the coordinator is told what they signed.
"""

from pathlib import Path
from typing import Annotated

import typer

from coordinator import ceremony
from coordinator.api.key_schemas import ChangeAsk, KeysView, MadeKeyView
from coordinator.ceremony import Draft
from coordinator.cli import key_changes
from coordinator.cli.key_changes import DONE, SIGN, tell
from coordinator.cli.key_holders import Keys, Sheets, known, open_keys, printed
from coordinator.cli.output import Json, clock, end, show, table
from coordinator.cli.signing import From, Key, To, next_to_sign, shown
from coordinator.cli.talk import PassphraseFile, Yes, agreed, passphrase, read_text, talking
from coordinator.complaint import Complaint
from coordinator.folders import home_folder
from coordinator.papers import Paper, read_paper, with_contents, write_paper
from coordinator.signing import Fetch, found_key, read_list

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("ceremony")(key_changes.hand_over)
app.command()(key_changes.renew)
app.command()(key_changes.rotate)
_ABOUT = {
    "root": "who may change these keys",
    "targets": "who says what may be installed",
    "snapshot": "the coordinator: which list is the present one",
    "timestamp": "the coordinator: that it is of today",
}
_PROOF = typer.Option("--passphrase-file", help="File whose first line opens a --key, in order.")
Proofs = Annotated[list[Path] | None, _PROOF]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show which keys sign what. Exits 1 when something expires within 30 days, or waits."""
    with talking() as client:
        found = client.keys()
    show(found, lambda: _listed(found), as_json=as_json)
    end(needs_a_person=bool(found.endings) or found.change is not None)


def _listed(found: KeysView) -> str:
    rows = [
        (
            role.role,
            _ABOUT.get(role.role, ""),
            f"{role.threshold} of {len(role.fingerprints)}",
            "\n".join(map(ceremony.in_fours, role.fingerprints)),
            clock(role.expires),
        )
        for role in found.roles
    ]
    said = [table(("role", "says", "takes", "keys", "expires"), rows, "")]
    said += [f"{ending.message}\n  mend: {ending.fix}" for ending in found.endings]
    if found.change is not None:
        said.append(f"A change of keys waits: {next_to_sign(found.change.progress, SIGN)}")
    return "\n\n".join(said)


@app.command()
def unsigned(to: To = None, as_json: Json = False) -> None:
    """Show the change of keys that waits for signatures. Exits 1 when one does."""
    with talking() as client:
        found = known(client)
        if to is not None:
            write_paper(to, _carried(_paper(found), client.content))
    show(found, lambda: _waiting(found, to), as_json=as_json)
    end(needs_a_person=found.change is not None)


def _carried(paper: Paper, fetch: Fetch) -> Paper:
    listed = read_list(paper.targets, fetch) if paper.targets else []
    return with_contents(paper, [(item.name, item.sha256) for item in listed], fetch)


def _waiting(found: KeysView, to: Path | None) -> str:
    if found.change is None:
        return "No change of keys waits."
    said = ceremony.draft_in_words(found.root, found.change.roots)
    said.append(next_to_sign(found.change.progress, SIGN))
    if to is not None:
        said.append(f"{to} is ready: {SIGN} --from {to} --to FILE, on any PC with Roundsman")
    return "\n".join(said)


def _paper(found: KeysView) -> Paper:
    if found.change is None:
        raise Complaint("cannot sign: no change of keys waits", "roundsman keys list")
    return Paper(found.change.targets, tuple(found.change.roots), found.root)


@app.command()
def sign(
    keys: Keys = None,
    passphrases: Proofs = None,
    source: From = None,
    to: To = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Sign the change of keys that waits; it is made once enough have. Exits 1 before."""
    if source is not None:
        _sign_paper(source, to, keys, passphrases, yes=yes)
        return
    with talking() as client:
        paper = _paper(known(client))
        _agree(paper, client.content, yes=yes, as_json=as_json)
        signed = _signed(paper, keys, passphrases)
        reached = client.sign_change(ChangeAsk(roots=list(signed.roots), targets=signed.targets))
    tell(reached, DONE, as_json=as_json)


def _signed(paper: Paper, keys: Keys, passphrases: Proofs) -> Draft:
    by = open_keys(ceremony.may_sign(paper.present, paper.roots), keys, passphrases)
    return ceremony.sign_draft(Draft(paper.roots, paper.targets), by)


def _agree(paper: Paper, fetch: Fetch, *, yes: bool, as_json: bool = False) -> None:
    """Show a change in words, with the list that it signs anew, and ask."""
    typer.echo("\n".join(ceremony.draft_in_words(paper.present, paper.roots)), err=as_json)
    if paper.targets:
        typer.echo("\n".join(shown(read_list(paper.targets, fetch))), err=as_json)
    agreed("Sign this change of keys?", yes=yes)


def _sign_paper(
    source: Path, to: Path | None, keys: Keys, passphrases: Proofs, *, yes: bool
) -> None:
    paper = read_paper(source)
    if to is None or not paper.roots:
        raise Complaint(
            f"cannot sign {source}: "
            + (
                "into which file?"
                if paper.roots
                else "it is a list of releases, no change of keys"
            ),
            f"{SIGN} --from {source} --to FILE" if paper.roots else "roundsman release sign",
        )
    _agree(paper, paper.fetch, yes=yes)
    signed = _signed(paper, keys, passphrases)
    write_paper(to, Paper(signed.targets, signed.roots, paper.present, paper.contents))
    typer.echo(f"{to} is signed; next: roundsman release publish {to}, or the next to sign")


@app.command()
def drop(yes: Yes = False, as_json: Json = False) -> None:
    """Forget the change of keys that waits for signatures."""
    with talking() as client:
        agreed("Forget the change of keys that waits, with its signatures?", yes=yes)
        found = client.drop_change()
    show(found, lambda: "It is forgotten; the keys are as before.", as_json=as_json)


@app.command()
def sheet(
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    sheets: Sheets = key_changes.SHEETS,
    as_json: Json = False,
) -> None:
    """Print the recovery sheet of a key, to be kept in a safe; needs no coordinator."""
    file = found_key(key, home_folder())
    opened = ceremony.open_key(file, passphrase(passphrase_file, confirm=False))
    (made,) = printed([opened], ["a key of this fleet"], sheets, quiet=as_json)
    _show_key(made, "", as_json=as_json)


@app.command()
def recover(
    source: Annotated[Path, typer.Argument(metavar="SHEET", help="What was typed in again.")],
    into: Annotated[Path, typer.Option(help="Folder or stick that is to hold the key.")],
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put a key back from its recovery sheet, and prove that it opens; needs no coordinator."""
    text = read_text(source)
    key = ceremony.recover(text, into, passphrase(passphrase_file, confirm=False))
    made = MadeKeyView(fingerprint=key.fingerprint, folder=str(into), sheets=[])
    said = f"the key {ceremony.in_fours(key.fingerprint)} is in {into}, and opens"
    _show_key(made, said, as_json=as_json)


def _show_key(made: MadeKeyView, said: str, *, as_json: bool) -> None:
    if as_json or said:
        show(made, lambda: said, as_json=as_json)
