"""`roundsman release find` and `notes`: what vendors offer, and what they say of it."""

from typing import Annotated

import typer

from coordinator.api.finding_schemas import FoundView, OfferView
from coordinator.cli.notes_page import page
from coordinator.cli.output import Json, end, show, size, table
from coordinator.cli.progress import waited_for
from coordinator.cli.talk import talking
from coordinator.complaint import Complaint


def find(
    name: Annotated[str, typer.Argument(metavar="APP", help="Else all that have a feed.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Older ones too, and those added already.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at the vendors' feeds for releases newer than what is installed or added.

    Exits 0 whether there is one or not, 1 when one of several feeds cannot be read, 2 when none
    can.
    """
    with talking() as client, waited_for("the vendors' feeds are read"):
        found = client.offers(name, everything=everything)
    failed = [one for one in found if one.problem]
    heard = [one for one in found if not one.problem]
    if heard or as_json:
        show(found, lambda: "\n\n".join(map(_found, heard)), as_json=as_json)
    if failed and len(failed) == len(found):
        raise Complaint(failed[0].problem, failed[0].mend)
    for one in failed:
        typer.echo(f"error: {one.problem}\nmend: {one.mend}", err=True)
    end(needs_a_person=bool(failed))


def _found(found: FoundView) -> str:
    head = f"{found.app}: {_installed(found)}"
    rows = [
        (r.version, r.released, size(r.size), r.state or "not added", r.headline)
        for r in found.releases
    ]
    headers = ("version", "released", "size", "state", "notes")
    listed = table(headers, rows, f"nothing newer is offered at {found.source}")
    terms = "\n".join(_terms(offer) for offer in found.releases if offer.terms)
    return "\n\n".join(filter(None, (head, listed, terms, _next(found))))


def _installed(found: FoundView) -> str:
    said = [f"{version} on {count}" for version, count in found.installed.items()]
    said += [f"{found.unheard} do not say"] if found.unheard else []
    return f"installed {', '.join(said)}" if said else "what is installed is not known"


def _terms(offer: OfferView) -> str:
    return "\n  ".join([f"{offer.version}:", *offer.terms])


def _next(found: FoundView) -> str:
    new = [offer.version for offer in found.releases if offer.newer]
    if not new:
        return ""
    return (
        f"next: roundsman release notes {found.app} {new[0]}, then "
        f"roundsman release add {found.app} {new[0]}"
    )


def notes(
    name: Annotated[str, typer.Argument(metavar="APP")],
    version: Annotated[str, typer.Argument()],
    as_json: Json = False,
) -> None:
    """Show the vendor's notes of a release."""
    with talking() as client:
        found = client.notes(name, version)
    show(found, lambda: page(found.notes), as_json=as_json)
