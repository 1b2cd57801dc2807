"""`roundsman tidy`: what nobody needs any more on the coordinator's disk."""

from typing import Annotated

import typer

from coordinator.api.asks import TidyAsk
from coordinator.api.tidy_schemas import TidyView
from coordinator.cli.output import Json, pairs, show, size, table
from coordinator.cli.talk import talking


def tidy(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be deleted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete what nobody needs any more of releases that are on offer no more.

    The coordinator does so itself once a day; [keep] in coordinator.toml says how much stays.
    """
    with talking() as client:
        found = client.tidy(TidyAsk(dry_run=dry_run))
    show(found, lambda: _shown(found), as_json=as_json)


def _shown(found: TidyView) -> str:
    rows = [(one.kind, one.files, size(one.bytes)) for one in found.gone]
    parts = [table(("what", "files", "size"), rows, "Nothing: all of it is needed or young.")]
    parts.append(pairs(_facts(found)))
    if found.superseded:
        parts.append(_may_be_withdrawn(found))
    return "\n\n".join(parts)


def _facts(found: TidyView) -> list[tuple[str, object]]:
    would = "would be freed" if found.dry_run else "freed"
    last = "release" if found.kept_releases == 1 else f"{found.kept_releases} releases"
    return [
        (would, size(found.bytes)),
        ("releases", ", ".join(found.releases)),
        ("stays", f"{found.days} days, and the last {last} of each app"),
        ("free", size(found.free)),
    ]


def _may_be_withdrawn(found: TidyView) -> str:
    rows = [
        (f"{one.app} {one.version}", size(one.bytes), _command(one.app, one.version))
        for one in found.superseded
    ]
    return "On offer, and long superseded:\n" + table(
        ("release", "size", "to be rid of it"), rows, ""
    )


def _command(app: str, version: str) -> str:
    return f"roundsman release withdraw {app} {version}"
