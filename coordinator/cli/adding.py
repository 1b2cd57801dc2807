"""`roundsman release add`: a package from a file here, from an address, or from the feed."""

import datetime as dt
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.wire.codec import encode
from agent.wire.terms import NO_TERMS
from coordinator.api.asks import FetchAsk, PackageAsk
from coordinator.api.client import Client
from coordinator.api.finding_schemas import DownloadView
from coordinator.api.schemas import PackageView
from coordinator.cli.output import Json, duration, end, pairs, show, size, to_sign
from coordinator.cli.progress import Now, followed
from coordinator.cli.talk import ask, read_text, talking
from coordinator.complaint import Complaint
from coordinator.model import DownloadState
from coordinator.terms import read_terms


def add(
    name: Annotated[str, typer.Argument(metavar="APP", help="As its profile says.")],
    version: Annotated[str, typer.Argument()],
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="A zip file; else as the feed says.")
    ] = "",
    role: Annotated[
        str, typer.Option(help="For which hosts; else workstation, or all of the feed's.")
    ] = "",
    system: Annotated[
        str, typer.Option(help="linux, windows or macos; else linux, or all of the feed's.")
    ] = "",
    notes: Annotated[Path | None, typer.Option(help="File with the vendor's notes.")] = None,
    terms: Annotated[
        Path | None, typer.Option(help="File, TOML or JSON: who may install it (docs/feed.md).")
    ] = None,
    sha256: Annotated[str, typer.Option(help="With URL: what must come from there.")] = "",
    as_json: Json = False,
) -> None:
    """Have a package at the coordinator; it can be installed once it is signed.

    A FILE is sent from here. What is at a URL, or in the vendor's feed, the coordinator fetches
    itself. Exits 1 when it cannot.
    """
    said: dict[str, object] = {"app": name, "version": version}
    said |= {"notes": read_text(notes) if notes else "", "terms": terms_in(terms)}
    with talking() as client:
        if source and "://" not in source:
            given = {"role": role or "workstation", "system": system or "linux"}
            added = client.add_package(ask(PackageAsk, **said, **given), Path(source))
            show(added, lambda: _added(added), as_json=as_json)
        else:
            given = {"role": role, "system": system, "url": source, "sha256": sha256}
            done = _fetched(client, ask(FetchAsk, **said, **given), quiet=as_json)
            show(done, lambda: _outcome(done), as_json=as_json)
            end(needs_a_person=done.needs_a_person)


def terms_in(file: Path | None) -> str:
    """Return the terms in a file as JSON, as short as can be; "" for none. Raises `Complaint`."""
    if file is None:
        return ""
    text = read_text(file)
    try:
        terms = read_terms(_parsed(file, text))
    except (ValueError, RecursionError) as error:
        raise Complaint(
            f"cannot use {file}: {error}", "docs/feed.md says what terms are"
        ) from None
    usual = encode(NO_TERMS)
    said = {key: value for key, value in encode(terms).items() if value != usual[key]}
    return json.dumps(said, separators=(",", ":"))


def _parsed(file: Path, text: str) -> Any:
    if file.suffix == ".json":
        return json.loads(text)
    given = tomllib.loads(text)
    day = given.get("released")
    return given | {"released": day.isoformat()} if isinstance(day, dt.date) else given


def _added(added: PackageView) -> str:
    following = to_sign(added, signed=added.signed)
    warning = f"warning: {added.warning}\n" if added.warning else ""
    return f"{added.target}, {size(added.size)}\n{warning}{following}"


def _fetched(client: Client, wanted: FetchAsk, *, quiet: bool) -> DownloadView:
    begun = client.fetch(wanted)
    leave = f"the coordinator goes on with it; see: roundsman release list --app {begun.app}"
    return followed(begun, lambda: client.download(begun.id), _now, quiet=quiet, leave=leave)


def _now(seen: DownloadView) -> Now | None:
    if seen.state is not DownloadState.UNDER_WAY:
        return None
    about = seen.place.rpartition("/")[2] or f"{seen.app} {seen.version}"
    return Now(about, seen.bytes_done, seen.bytes_total)


def _outcome(done: DownloadView) -> str:
    failed, unknown = done.needs_a_person, done.unverified
    well = "fetched" if unknown else "fetched, and as the vendor's feed says"
    facts = pairs(
        [
            ("outcome", f"not fetched: {done.problem}" if failed else well),
            ("SHA-256", f"{unknown[0]}, to be compared with the vendor's" if unknown else ""),
            ("mend", done.mend),
            ("warning", "" if failed else done.warning),
            ("took", duration((done.ended or done.now) - done.began)),
            ("added", ", ".join(done.targets)),
        ]
    )
    return facts if failed else f"{facts}\n\nnext: roundsman release sign"
