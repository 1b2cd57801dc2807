"""What can go wrong between us and the coordinator's HTTPS, sorted by what the caller can do.

HttpsError
├── Unreachable     no answer: it may have been heard or not; try again later
├── WrongServer     whoever answered is not our coordinator; a person must look
├── Refused         the coordinator said no, and why
└── BadAnswer       the answer is none: too long, or not what was asked for
"""

import contextlib
import ssl
from collections.abc import Iterator

from urllib3.exceptions import HTTPError, NewConnectionError, SSLError

from agent.wire.errors import IdentityError
from agent.wire.tls import is_refusal


class HttpsError(Exception):
    """The coordinator was asked and no good answer came; the text says why and what to do."""


class Unreachable(HttpsError):  # noqa: N818 - reads better where it is caught
    """No answer came, or not the whole of it."""


class WrongServer(HttpsError):  # noqa: N818
    """Whoever answered is not the coordinator, as far as its certificate says."""


class BadAnswer(HttpsError):  # noqa: N818
    """What was answered cannot be used."""


class Refused(HttpsError):  # noqa: N818
    """The coordinator said no. `word` is for programs, `mend` for people ("" = none given)."""

    def __init__(self, status: int, word: str, detail: str, mend: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        self.mend = mend


@contextlib.contextmanager
def sorted_errors(address: str) -> Iterator[None]:
    """Turn what urllib3 and ssl raise inside into `HttpsError`."""
    try:
        yield
    except IdentityError as error:
        raise WrongServer(f"{address} is not our coordinator: {error}") from None
    except (SSLError, ssl.SSLError) as error:
        raise _tls_error(address, error) from None
    except (HTTPError, OSError) as error:
        raise Unreachable(unreachable_text(address, error)) from None


def _tls_error(address: str, error: Exception) -> HttpsError:
    cause = error if isinstance(error, ssl.SSLError) else error.args[0] if error.args else None
    if not isinstance(cause, BaseException) or not is_refusal(cause):
        return Unreachable(unreachable_text(address, error))
    why = getattr(cause, "verify_message", "") or str(cause)
    if "expired" in why or "not yet valid" in why:
        why += "; check the date and time of this computer first"
    return WrongServer(f"cannot trust the server at {address}: {why}")


def unreachable_text(address: str, error: Exception) -> str:
    """Return the sentence for people when nobody answers at `address`."""
    cause: BaseException = error
    while isinstance(cause.__cause__, BaseException):
        cause = cause.__cause__
    if isinstance(error, NewConnectionError | OSError) and isinstance(cause, OSError):
        why = cause.strerror or str(cause)
    else:
        why = str(error)
    return (
        f"cannot reach the coordinator at {address}: {why}. "
        "Check that it runs, and that no firewall is in between"
    )
