"""The first contact with a coordinator of which nothing is known but a fingerprint."""

import hashlib
import http.client
import ssl

from agent.wire.enrolment import split_address
from agent.wire.https_errors import BadAnswer, Unreachable, WrongServer, unreachable_text

_MOST_CA = 16 * 1024
_SECONDS = 5.0


def fetch_ca(address: str, fingerprint: str) -> bytes:
    """Return the CA's certificate (PEM) from a server nothing is known of yet.

    It is believed only when the SHA-256 of its DER is `fingerprint`; nothing else the server
    says is looked at. Raises `Unreachable`, `WrongServer` or `BadAnswer`.
    """
    host, port = split_address(address)
    raw = _fetch_unverified(host, port, address)
    try:
        der = ssl.PEM_cert_to_DER_cert(raw.decode("ascii"))
    except (UnicodeError, ValueError):
        raise BadAnswer(
            f"{address} answers, but not as a coordinator: check the address"
        ) from None
    if hashlib.sha256(der).hexdigest() != fingerprint:
        raise WrongServer(
            f"the coordinator at {address} is not the one that the token was made by: its CA has "
            "another fingerprint. Check the address, and ask for a new token"
        )
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _fetch_unverified(host: str, port: int, address: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", "/ca.pem")
        with connection.getresponse() as answer:
            return answer.read(_MOST_CA)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(unreachable_text(address, error)) from None
    finally:
        connection.close()
