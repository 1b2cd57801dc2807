"""What enrolment has to remember, and the protocol of whoever remembers it.

The store implements `EnrolmentBook`; `tests/trust/enrolment_contract.py` says, as tests, what
it must keep to. Nothing secret is in these records: of tokens and proofs only hashes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Protocol

from agent.wire.bounds import Text, Whole
from agent.wire.contract import HostId, Name, Sentence, Sha256
from agent.wire.enrolment import Base64
from coordinator.model import HostStanding, Moment


class Approval(StrEnum):
    """Who lets a host in that shows the token."""

    AUTOMATIC = "automatic"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the fleet a host goes."""

    site: Name
    group: Name
    role: Name


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token, by the hash of its secret."""

    hash: Sha256
    place: Place
    approval: Approval
    uses_left: Annotated[int, Whole(0, 10_000)]
    expires: Moment
    made_by: Name = ""


class RequestState(StrEnum):
    """What became of a host's request."""

    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """One host that asked to be let in; `host_id` is the request's id too."""

    host_id: HostId
    name: Name
    place: Place
    approval: Approval
    csr: Base64
    proof_hash: Sha256
    asked_at: Moment
    address: Annotated[str, Text(100)] = ""
    state: RequestState = RequestState.WAITING
    certificate: Annotated[str, Text(8000, r"[A-Za-z0-9+/=]*")] = ""  # once granted
    serial: Annotated[str, Text(64, r"[0-9a-f]*")] = ""  # of that certificate, hexadecimal
    reason: Sentence = ""  # once refused

    def granted(self, certificate: str, serial: str) -> "EnrolRequest":
        """Return the request as it is once granted."""
        return replace(self, state=RequestState.GRANTED, certificate=certificate, serial=serial)

    def refused(self, reason: str) -> "EnrolRequest":
        """Return the request as it is once refused."""
        return replace(self, state=RequestState.REFUSED, reason=reason)


class Admission(StrEnum):
    """Whether a request was written into the book."""

    ADMITTED = "admitted"
    USED_UP = "used-up"  # the token is unknown or has no use left
    NAME_TAKEN = "name-taken"


class EnrolmentBook(Protocol):
    """Tokens, requests and the standing of hosts; each call is one transaction."""

    def add_token(self, token: TokenRecord) -> None:
        """Write a new token down."""

    def token(self, secret_hash: str) -> TokenRecord | None:
        """Return the token whose secret has this hash."""

    def admit(self, request: EnrolRequest, secret_hash: str) -> Admission:
        """Take one use of the token and write the request down: both, or neither.

        `NAME_TAKEN` while a host of that name (letter case apart) waits or is in the fleet
        and is not revoked; a refused or revoked one does not hold its name.
        """

    def request(self, host_id: str) -> EnrolRequest | None:
        """Return the request of this id, whatever its state."""

    def request_by_proof(self, proof_hash: str) -> EnrolRequest | None:
        """Return the request whose proof has this hash."""

    def settle(self, request: EnrolRequest) -> bool:
        """Write down that a waiting request is granted (the host is now in the fleet) or refused.

        False, and nothing is changed, when it is waiting no longer.
        """

    def renewed(self, host_id: str, serial: str) -> None:
        """Write down the serial of the certificate an enrolled host now has."""

    def standing(self, host_id: str) -> HostStanding | None:
        """Return where the host stands; None for one that is not in the fleet."""
