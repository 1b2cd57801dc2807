"""Makes this PC a member of the fleet, and keeps its certificate fresh.

Nothing is believed before the CA has been proven by the token's fingerprint. Run again after a
crash it goes on where it was: the key, and the proof that names this request, are on the disk
before anything is sent. `agent.toml` is written last; with it the PC is enrolled.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config_text import with_enrolment
from agent.keys import HostKey, KeyProblem, is_due
from agent.wire import places
from agent.wire.atomic import READABLE, write_whole
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.enrolment import (
    BadToken,
    CollectAsk,
    EnrolAnswer,
    EnrolAsk,
    Granted,
    RenewAsk,
    Token,
    read_token,
    unwrap,
    wrap,
)
from agent.wire.first_contact import fetch_ca
from agent.wire.https import Https
from agent.wire.https_errors import HttpsError, Refused, Unreachable

PINNED_ROOT = Path("tuf") / "pinned-root.json"
"""Below the state folder: the root of trust for everything that is installed."""
_MOST_ROOT = 512_000
ASK_EVERY_SECONDS = 3.0
"""Less than an idle connection is kept for: what is asked just as it is ended has no answer."""
_PENDING = "enrolling.json"
_REQUEST_IS_OVER = {"not-approved", "unknown-request"}  # the next try is another request

Wait = Callable[[float], bool]
"""Lets some seconds pass; False when nobody wants to wait any longer."""


class EnrolProblem(Exception):  # noqa: N818 - reads better where it is caught
    """This PC is not enrolled, or not renewed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of it."""

    host_id: str
    coordinator: str  # the HTTPS address that answered


def enrol(
    token_text: str, name: str, folder: Path, wait: Wait, *, again: bool = False
) -> Enrolled:
    """Enrol this PC under `name`; returns once it is a member.

    Args:
        token_text: What `roundsman fleet token` printed.
        name: How people call this PC.
        folder: The agent's state folder; made when absent.
        wait: Called between two questions while an operator has to approve.
        again: Whether a PC that is enrolled already is to be enrolled anew.

    Raises:
        EnrolProblem: It is not enrolled. To try again later is always harmless.
    """
    try:
        token = read_token(token_text)
        _check_new(folder, again)
        address = _pin_authority(token, folder)
        with Https(address, folder / "ca.pem") as https:
            _pin_root(https, token, folder)
            return Enrolled(_join(https, token, name, folder, wait), address)
    except (BadToken, HttpsError, KeyProblem, BadMessage) as error:
        raise EnrolProblem(f"cannot enrol this PC: {error}") from None
    except OSError as error:
        raise EnrolProblem(
            f"cannot enrol this PC: {error}. Run this as administrator of the PC"
        ) from None


def renew_if_due(folder: Path, https: Https, now: Callable[[], float] = time.time) -> bool:
    """Replace the certificate when it has less than 30 days to go; True when it was replaced.

    To be called daily; links made from then on use the new one. Raises `EnrolProblem`.
    """
    try:
        old = (folder / "cert.pem").read_text("ascii")
        if not is_due(old, now()):
            return False
        key = HostKey.open(folder / "key.pem")
        csr = key.request()
        ask = RenewAsk(wrap(old), wrap(csr), key.sign(csr.encode()))
        granted = _read_answer(https.post_json(places.RENEW, encode(ask))).granted
        _keep_certificate(granted, key, folder)
    except (HttpsError, KeyProblem, BadMessage, OSError) as error:
        raise EnrolProblem(f"cannot renew the certificate of this PC: {error}") from None
    return True


def _check_new(folder: Path, again: bool) -> None:
    if not again and (folder / "agent.toml").exists():
        raise EnrolProblem(
            f"this PC is enrolled already, see {folder / 'agent.toml'}: to enrol it anew, "
            "stop the agent and run roundsman-agent enrol --again"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if again and not (folder / _PENDING).exists():
        (folder / "key.pem").unlink(missing_ok=True)  # a new member has a new key


def _pin_authority(token: Token, folder: Path) -> str:
    """Keep the CA that the token vouches for; return the address that answered."""
    problem: Unreachable | None = None
    for address in token.addresses:
        try:
            ca = fetch_ca(address, token.ca)
        except Unreachable as error:
            problem = error
        else:
            write_whole(folder / "ca.pem", ca, READABLE)
            return address
    raise problem or EnrolProblem("the token names no coordinator: ask for a new one")


def _pin_root(https: Https, token: Token, folder: Path) -> None:
    raw = https.get_bytes(f"{places.METADATA}{token.root_version}.root.json", _MOST_ROOT)
    if hashlib.sha256(raw).hexdigest() != token.root:
        raise EnrolProblem(
            "cannot enrol this PC: the coordinator's signed releases are not those that the "
            "token was made for. Tell whoever made the token, and enrol no PC until it is clear"
        )
    write_whole(folder / PINNED_ROOT, raw)


def _join(https: Https, token: Token, name: str, folder: Path, wait: Wait) -> str:
    key = HostKey.open(folder / "key.pem")
    proof = _proof(folder, f"{token.secret}\n{name}")
    ask = EnrolAsk(token.secret, name, wrap(key.request()), proof)
    try:
        answer = _read_answer(https.post_json(places.ENROL, encode(ask)))
        while answer.waiting is not None:
            _wait(wait, answer.waiting.request)
            collect = CollectAsk(answer.waiting.request, proof)
            answer = _read_answer(https.post_json(places.COLLECT, encode(collect)))
    except Refused as error:
        if error.word in _REQUEST_IS_OVER:
            (folder / _PENDING).unlink(missing_ok=True)
        raise
    granted = _keep_certificate(answer.granted, key, folder)
    _write_config(folder, granted)
    (folder / _PENDING).unlink(missing_ok=True)
    return granted.host_id


def _wait(wait: Wait, request: str) -> None:
    if not wait(ASK_EVERY_SECONDS):
        raise EnrolProblem(
            f"this PC waits for approval: roundsman fleet approve {request}, on the coordinator; "
            "then run the same command here again"
        )


def _proof(folder: Path, about: str) -> str:
    """Return the proof of this request, the same one when it is asked again."""
    digest = hashlib.sha256(about.encode()).hexdigest()
    path = folder / _PENDING
    try:
        pending = json.loads(path.read_bytes())
        if pending["about"] == digest:
            return str(pending["proof"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    proof = secrets.token_urlsafe(32)
    write_whole(path, json.dumps({"about": digest, "proof": proof}).encode())
    return proof


def _read_answer(raw: Any) -> EnrolAnswer:
    try:
        return decode(EnrolAnswer, raw)
    except BadMessage as error:
        raise BadMessage(
            f"the coordinator answers in a way this version cannot read: {error}"
        ) from None


def _keep_certificate(granted: Granted | None, key: HostKey, folder: Path) -> Granted:
    if granted is None or not key.fits(certificate := unwrap(granted.certificate)):
        raise EnrolProblem(
            "the coordinator sent a certificate that is not for this PC's key: try again"
        )
    write_whole(folder / "cert.pem", certificate.encode(), READABLE)
    return granted


def _write_config(folder: Path, granted: Granted) -> None:
    path = folder / "agent.toml"
    old = path.read_text("utf-8") if path.exists() else ""
    write_whole(path, with_enrolment(old, granted).encode())
