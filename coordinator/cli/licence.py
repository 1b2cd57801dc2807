"""`roundsman licence`: what vendors have granted, and until when."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.asks import LicenceAsk
from coordinator.api.licence_schemas import LicenceView
from coordinator.cli.output import Json, clock, end, show, table
from coordinator.cli.talk import ask, read_text, talking
from coordinator.complaint import Complaint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_RAW_BYTES = 64  # a signature that is not in base64
_MOST_BYTES = 200


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The entitlement that the vendor has sent.")],
    signature: Annotated[
        Path | None, typer.Option(help="Its signature; else FILE.sig, when that is there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have an app's releases judged by what its vendor has granted."""
    beside = file.with_name(f"{file.name}.sig")
    signed = signature or (beside if beside.exists() else None)
    said = _signature(signed) if signed else ""
    wanted = ask(LicenceAsk, text=read_text(file), signature=said, file=file.name)
    with talking() as client:
        added = client.add_licence(wanted)
    show(added, lambda: _listed([added]), as_json=as_json)
    end(needs_a_person=added.needs_a_person)


def _signature(file: Path) -> str:
    """Return a detached signature in base64, in which it may also be."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    if len(raw) == _RAW_BYTES:
        return base64.b64encode(raw).decode()
    text = raw.decode("ascii", "replace").strip()
    if len(raw) > _MOST_BYTES or not text.isascii():
        raise Complaint(f"cannot use {file}: an Ed25519 signature has 64 bytes, or 88 in base64")
    return text


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List what vendors have granted. Exits 1 when something of it does not count."""
    with talking() as client:
        found = client.licences()
    show(found, lambda: _listed(found), as_json=as_json)
    end(needs_a_person=any(licence.needs_a_person for licence in found))


def _listed(found: list[LicenceView]) -> str:
    rows = [
        (
            one.app,
            one.holder,
            one.edition,
            f"{one.seats_taken} of {one.seats}",
            one.contract_end or "",
            one.valid_until or "",
            "signed" if one.is_signed else "none",
            one.problem or _too_many(one) or "counts",
            clock(one.at),
        )
        for one in found
    ]
    headers = (
        "app",
        "holder",
        "edition",
        "seats",
        "contract",
        "valid until",
        "signature",
        "state",
        "added",
    )
    return table(headers, rows, "No entitlement yet: roundsman licence add FILE")


def _too_many(one: LicenceView) -> str:
    return "too few seats" if one.seats_taken > one.seats else ""
