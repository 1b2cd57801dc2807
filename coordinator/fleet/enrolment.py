"""Lets hosts into the fleet: by token, by approval, and by the certificate they have.

Asking twice is harmless: the host makes a proof before it asks, and the same proof gets the
same answer, so a lost answer or a power cut costs no use of the token. Ids are new at each
enrolment, therefore a revoked host's id is nobody's ever again.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from agent.wire.codec import BadMessage
from agent.wire.enrolment import (
    CollectAsk,
    Coordinator,
    EnrolAnswer,
    EnrolAsk,
    Granted,
    RenewAsk,
    Token,
    Waiting,
    unwrap,
    wrap,
    write_token,
)
from coordinator.fleet.ca import Authority
from coordinator.fleet.certificates import BadRequest, serial_of
from coordinator.fleet.enrolment_book import (
    Admission,
    Approval,
    EnrolmentBook,
    EnrolRequest,
    Place,
    RequestState,
    TokenRecord,
)
from coordinator.fleet.tries import TooManyTries, Tries
from coordinator.model import HostStanding

TOKEN_SECONDS = 24 * 3600.0
_SECRET_BYTES = 24


class Reason(StrEnum):
    """Why somebody is not let in."""

    BAD_TOKEN = "bad-token"
    TOKEN_EXPIRED = "token-expired"
    TOKEN_USED_UP = "token-used-up"
    TOO_MANY_TRIES = "too-many-tries"
    NAME_TAKEN = "name-taken"
    BAD_REQUEST = "bad-request"
    UNKNOWN_REQUEST = "unknown-request"
    NOT_APPROVED = "not-approved"
    REVOKED = "revoked"


class EnrolmentRefused(Exception):  # noqa: N818 - reads better where it is caught
    """Somebody is not let in; the text says why and what to do."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Directions:
    """What a token tells a host, and what a certificate tells it next."""

    coordinators: tuple[Coordinator, ...]
    root_sha256: str
    root_version: int = 1


class Enrolment:
    """Who is let in, and on what grounds."""

    def __init__(
        self,
        book: EnrolmentBook,
        authority: Authority,
        directions: Callable[[], Directions],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._authority = authority
        self._directions = directions
        self._clock = clock
        self._tries = Tries(clock)

    def make_token(
        self, place: Place, approval: Approval, uses: int = 1, made_by: str = ""
    ) -> str:
        """Return a new token's text, good for `uses` hosts and 24 hours; it is kept nowhere."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        expires = self._clock() + TOKEN_SECONDS
        self._book.add_token(TokenRecord(_hash(secret), place, approval, uses, expires, made_by))
        to = self._directions()
        token = Token(
            addresses=tuple(one.https for one in to.coordinators),
            ca=self._authority.fingerprint,
            root=to.root_sha256,
            secret=secret,
            root_version=to.root_version,
        )
        return write_token(token)

    def enrol(self, ask: EnrolAsk, address: str) -> EnrolAnswer:
        """Return a certificate, or that approval is awaited. Raises `EnrolmentRefused`."""
        self._check_tries(address)
        known = self._book.request_by_proof(_hash(ask.proof))
        return self._answer(known or self._admit(ask, address))

    def collect(self, ask: CollectAsk, address: str) -> EnrolAnswer:
        """Return what became of a host's request. Raises `EnrolmentRefused`."""
        self._check_tries(address)
        request = self._book.request(ask.request)
        if request is None or request.proof_hash != _hash(ask.proof):
            self._tries.wrong(address)
            raise EnrolmentRefused(
                Reason.UNKNOWN_REQUEST,
                "the coordinator knows no such request: enrol this host again",
            )
        return self._answer(request)

    def approve(self, host_id: str) -> None:
        """Let a waiting host in. Raises `EnrolmentRefused` when none waits under this id."""
        self._grant(self._waiting(host_id))

    def refuse(self, host_id: str, reason: str) -> None:
        """Turn a waiting host away. Raises `EnrolmentRefused` when none waits under this id."""
        self._book.settle(self._waiting(host_id).refused(reason))

    def renew(self, ask: RenewAsk) -> EnrolAnswer:
        """Return an enrolled host's next certificate. Raises `EnrolmentRefused`."""
        try:
            csr = unwrap(ask.csr)
            host_id = self._authority.verify_renewal(
                unwrap(ask.certificate), csr.encode(), base64.b64decode(ask.signature)
            )
            self._check_standing(host_id)
            certificate = self._authority.sign_csr(csr, host_id)
        except (BadRequest, BadMessage, ValueError) as error:
            raise EnrolmentRefused(Reason.BAD_REQUEST, f"cannot renew: {error}") from None
        self._book.renewed(host_id, serial_of(certificate))
        return EnrolAnswer(Granted(host_id, wrap(certificate), self._directions().coordinators))

    def _check_tries(self, address: str) -> None:
        try:
            self._tries.check(address)
        except TooManyTries as error:
            raise EnrolmentRefused(Reason.TOO_MANY_TRIES, str(error)) from None

    def _check_standing(self, host_id: str) -> None:
        if self._book.standing(host_id) not in {HostStanding.ENROLLED, HostStanding.HELD}:
            raise EnrolmentRefused(
                Reason.REVOKED,
                f"cannot renew: {host_id} is not in the fleet any more; ask for a new token",
            )

    def _judge_token(self, secret: str, address: str) -> TokenRecord:
        token = self._book.token(_hash(secret))
        if token is None:
            self._tries.wrong(address)
            raise EnrolmentRefused(
                Reason.BAD_TOKEN,
                "this token is not known here: make one with roundsman fleet token",
            )
        if token.expires <= self._clock():
            raise EnrolmentRefused(
                Reason.TOKEN_EXPIRED,
                "this token has expired, one is good for 24 hours: make another with "
                "roundsman fleet token",
            )
        return token

    def _admit(self, ask: EnrolAsk, address: str) -> EnrolRequest:
        token = self._judge_token(ask.secret, address)
        request = self._new_request(ask, token, address)
        admission = self._book.admit(request, token.hash)
        twin = self._book.request_by_proof(request.proof_hash)
        if twin is None:
            raise _not_admitted(admission, request.name)
        return twin

    def _new_request(self, ask: EnrolAsk, token: TokenRecord, address: str) -> EnrolRequest:
        try:
            self._authority.check_csr(unwrap(ask.csr))
        except (BadRequest, BadMessage) as error:
            raise EnrolmentRefused(Reason.BAD_REQUEST, f"cannot enrol: {error}") from None
        if not ask.name.strip():
            raise EnrolmentRefused(Reason.BAD_REQUEST, "cannot enrol a host without a name")
        return EnrolRequest(
            host_id=new_host_id(ask.name),
            name=ask.name.strip(),
            place=token.place,
            approval=token.approval,
            csr=ask.csr,
            proof_hash=_hash(ask.proof),
            asked_at=self._clock(),
            address=address,
        )

    def _grant(self, request: EnrolRequest) -> None:
        certificate = self._authority.sign_csr(unwrap(request.csr), request.host_id)
        self._book.settle(request.granted(wrap(certificate), serial_of(certificate)))

    def _waiting(self, host_id: str) -> EnrolRequest:
        request = self._find(host_id)
        if request.state is not RequestState.WAITING:
            raise EnrolmentRefused(
                Reason.UNKNOWN_REQUEST, f"{host_id} is waiting no longer: it is {request.state}"
            )
        return request

    def _find(self, host_id: str) -> EnrolRequest:
        request = self._book.request(host_id)
        if request is None:
            raise EnrolmentRefused(
                Reason.UNKNOWN_REQUEST,
                f"no host waits under the id {host_id}: see roundsman fleet list",
            )
        return request

    def _answer(self, request: EnrolRequest) -> EnrolAnswer:
        if request.state is RequestState.WAITING and request.approval is Approval.AUTOMATIC:
            self._grant(request)
            request = self._find(request.host_id)
        if request.state is RequestState.WAITING:
            return EnrolAnswer(waiting=Waiting(request.host_id))
        if request.state is RequestState.REFUSED:
            raise EnrolmentRefused(
                Reason.NOT_APPROVED, f"an operator turned this host away: {request.reason}"
            )
        coordinators = self._directions().coordinators
        return EnrolAnswer(Granted(request.host_id, request.certificate, coordinators))


def new_host_id(name: str, tail: Callable[[int], str] = secrets.token_hex) -> str:
    """Return an id for a host of this name that no host ever had."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'pc'}-{tail(3)}"


def _not_admitted(admission: Admission, name: str) -> EnrolmentRefused:
    if admission is Admission.NAME_TAKEN:
        return EnrolmentRefused(
            Reason.NAME_TAKEN,
            f"a host named {name} is in the fleet already: enrol this one under another name, "
            "or, if it replaces that one, revoke that one first with roundsman fleet revoke",
        )
    return EnrolmentRefused(
        Reason.TOKEN_USED_UP,
        "this token has been used as often as it may be: make another with roundsman fleet token",
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
