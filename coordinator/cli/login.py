"""`roundsman login`: lets the programs of this user, on this PC, speak to a coordinator."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from agent.wire.first_contact import fetch_ca
from agent.wire.https_errors import HttpsError
from coordinator.access import CA_FILE, Access, write_access
from coordinator.api.client import Client
from coordinator.api.schemas import OperatorView
from coordinator.cli.output import Json, show
from coordinator.cli.talk import read_first_line, secret
from coordinator.complaint import Complaint
from coordinator.folders import operator_folder

_IN_A_FILE = "name a file with it: --token-file FILE"


def login(
    address: Annotated[str, typer.Argument(help="The coordinator, host:port.")],
    fingerprint: Annotated[
        str, typer.Option(help="SHA-256 of its CA, as roundsman operator add shows it.")
    ],
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; asked for when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep an operator's token and the coordinator's CA in this user's own folder."""
    ca_pem = _trusted_ca(address, fingerprint.lower())
    given = read_first_line(token_file) if token_file else secret("Token", _IN_A_FILE)
    folder, token = operator_folder(), given.strip()
    you = _known_as(address, token, ca_pem)
    write_access(folder, Access(address, folder / CA_FILE, token), ca_pem)
    show(you, lambda: f"{you.name}, {you.role}, at {address}: kept in {folder}", as_json=as_json)


def _known_as(address: str, token: str, ca_pem: bytes) -> OperatorView:
    """Return who the coordinator says this is, before access that works is replaced."""
    with tempfile.TemporaryDirectory() as scratch:
        ca = Path(scratch) / CA_FILE
        ca.write_bytes(ca_pem)
        with Client(Access(address, ca, token)) as client:
            return client.health().you


def _trusted_ca(address: str, fingerprint: str) -> bytes:
    try:
        return fetch_ca(address, fingerprint)
    except (HttpsError, ValueError) as error:
        raise Complaint(str(error), "check the address and the fingerprint") from None
