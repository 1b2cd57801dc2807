"""What can go wrong between the two ends of a link, sorted by what the caller can do.

LinkError
├── LinkLost          nothing was sent: it did not run; the agent dials again by itself
├── LinkBusy          nothing was sent: another call held the link for the whole deadline
├── LinkRefused       this end or the far end will not have the link; a person must act
├── OutcomeUnknown    it was sent and not answered: it may have run; ask again by step id
└── RemoteError       the far end answered that it could not, with a code; the link lives
IdentityError         the peer's certificate does not say who it is, or says another role
"""

from enum import StrEnum


class LinkRefusal(StrEnum):
    """Why one end will not have a link with the other."""

    CERTIFICATE = "certificate"  # TLS itself refused it: expired, not yet valid, of another CA
    WRONG_ROLE = "wrong-role"
    REVOKED = "revoked"
    PROTOCOL_MISMATCH = "protocol-mismatch"
    ALREADY_LINKED = "already-linked"  # the same machine, over another address
    CLONE = "clone"  # two machines hold one certificate
    BAD_HELLO = "bad-hello"
    UNTOLD = "untold"  # refused with a word that this version does not know


class RemoteCode(StrEnum):
    """Why the far end could not answer."""

    BAD_MESSAGE = "bad-message"  # what was asked is not what the contract admits
    BAD_ANSWER = "bad-answer"  # what would have been answered is not
    TOO_LARGE = "too-large"
    INTERNAL = "internal"  # the agent's log has the trace, under the call's correlation id


class LinkError(Exception):
    """A call over a link did not bring an answer."""


class LinkLost(LinkError):  # noqa: N818 - reads better where it is caught
    """Nothing was sent: the link is gone, or was never there."""


class LinkBusy(LinkError):  # noqa: N818
    """Nothing was sent: another call held the link until the deadline."""


class LinkRefused(LinkError):  # noqa: N818
    """One end will not have this link; `refusal` says why."""

    def __init__(self, refusal: LinkRefusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class OutcomeUnknown(LinkError):  # noqa: N818
    """The request was sent and no answer came: it may have run. Never send it again blindly."""


class RemoteError(LinkError):
    """The far end says it could not; `detail` is its own word for it, never an exception's.

    `TOO_LARGE` is also said by this end, before it sends: nothing ran then.
    """

    def __init__(self, code: RemoteCode, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


class IdentityError(Exception):
    """The certificate of a peer does not say who it is, or says that it is somebody else."""
