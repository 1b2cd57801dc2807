"""This host's key and certificate: made here, never sent anywhere. The agent's one use of X.509.

The key stays the same for the life of an enrolment, so that a renewal replaces one file only
and a power cut never leaves a key beside a certificate that is not its own.
"""

import base64
import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.wire.atomic import write_whole

RENEW_BEFORE_END = dt.timedelta(days=30)


class KeyProblem(ValueError):  # noqa: N818 - reads better where it is caught
    """The key or the certificate in the state folder cannot be used."""


class HostKey:
    """The P-256 key of this host, in one PEM file (0600)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> "HostKey":
        """Return the key in `path`, made there first when it is absent. Raises `KeyProblem`."""
        if not path.exists():
            write_whole(path, _pem(ec.generate_private_key(ec.SECP256R1())))
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError):
            raise KeyProblem(f"cannot read {path}: remove it, then enrol this PC again") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyProblem(f"cannot use {path}: remove it, then enrol this PC again")
        return cls(key)

    def request(self) -> str:
        """Return a certificate request (PEM); it names nobody, the coordinator does."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = builder.sign(self._key, hashes.SHA256())
        return csr.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def sign(self, message: bytes) -> str:
        """Return a signature (ECDSA, SHA-256) as base64."""
        return base64.b64encode(self._key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()

    def fits(self, certificate_pem: str) -> bool:
        """True when this is a certificate for this very key."""
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        except ValueError:
            return False
        return certificate.public_key() == self._key.public_key()


def is_due(certificate_pem: str, now: float) -> bool:
    """True when the certificate has less than 30 days to go. Raises `KeyProblem`."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except ValueError:
        raise KeyProblem("the certificate cannot be read: enrol this PC again") from None
    return certificate.not_valid_after_utc - dt.datetime.fromtimestamp(now, dt.UTC) < (
        RENEW_BEFORE_END
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
