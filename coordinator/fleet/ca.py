"""The fleet's own certificate authority: who a machine is, is what its certificate says.

Each certificate carries exactly one URI, `urn:roundsman:<role>:<id>`, and no other name. All
of them pass the strict checks of RFC 5280. They begin a day early, so that a host whose clock
is slow does not refuse them.
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.wire.atomic import READABLE, write_whole
from agent.wire.tls import Role
from coordinator.fleet.certificates import (
    CRITICAL,
    NOT_CRITICAL,
    BadRequest,
    agent_id,
    builder,
    check_signature,
    issuer_id,
    key_of,
    key_usage,
    load_key,
    one_name,
    pem,
    private_pem,
    read_certificate,
)

LEAF_LIFETIME = dt.timedelta(days=90)
RENEW_BEFORE_END = dt.timedelta(days=30)
_CA_LIFETIME = dt.timedelta(days=3650)
_BACKDATED = dt.timedelta(days=1)

Clock = Callable[[], float]
"""Returns seconds since 1970."""

_USAGE = {
    Role.AGENT: ExtendedKeyUsageOID.CLIENT_AUTH,  # agents dial, nobody dials them
    Role.COORDINATOR: ExtendedKeyUsageOID.SERVER_AUTH,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where a key and its certificate lie, both PEM."""

    key: Path
    certificate: Path


class Authority:
    """The CA in one folder: `ca-key.pem` (0600) and `ca.pem`."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, clock: Clock
    ) -> None:
        self._key = key
        self._certificate = certificate
        self._clock = clock

    @classmethod
    def open(cls, folder: Path, clock: Clock = time.time) -> "Authority":
        """Return the CA of `folder`; made there first when it has none.

        The key is written before the certificate: without the latter nothing was ever signed,
        so a half-made CA is made anew. Raises `ValueError` when the two do not belong together.
        """
        if not (folder / "ca.pem").exists():
            _make_authority(folder, _moment(clock))
        key = load_key(folder / "ca-key.pem")
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        if key.public_key() != certificate.public_key():
            raise ValueError(f"cannot use the CA in {folder}: its key is not its certificate's")
        return cls(key, certificate, clock)

    @property
    def certificate_pem(self) -> bytes:
        """The CA's own certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CA's certificate (DER), 64 hex digits."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def issue_coordinator(self, folder: Path, coordinator_id: str = "main") -> KeyPair:
        """Return the coordinator's key and certificate in `folder`, made or renewed if due.

        A certificate with more than 30 days to go, of this CA and for this key, is left alone.
        """
        pair = KeyPair(folder / "coordinator-key.pem", folder / "coordinator.pem")
        if not pair.key.exists():
            write_whole(pair.key, private_pem(ec.generate_private_key(ec.SECP256R1())))
        key = load_key(pair.key)
        if not self._is_good(pair.certificate, key.public_key()):
            leaf = self._issue(key.public_key(), Role.COORDINATOR, coordinator_id)
            write_whole(pair.certificate, pem(leaf).encode(), READABLE)
        return pair

    def check_csr(self, csr_pem: str) -> None:
        """Return when `sign_csr` would sign. Raises `BadRequest`."""
        key_of(csr_pem)

    def sign_csr(self, csr_pem: str, host_id: str) -> str:
        """Return an agent's certificate (PEM) for the key in `csr_pem`.

        Only the key is taken from the request; names it asks for are ignored. Raises
        `BadRequest` for anything but a P-256 key that signed its own request.
        """
        return pem(self._issue(key_of(csr_pem), Role.AGENT, host_id))

    def verify_renewal(self, certificate_pem: str, signed: bytes, signature: bytes) -> str:
        """Return the id of the agent whose certificate and key signed `signed`.

        Raises `BadRequest` unless the certificate is of this CA, an agent's, within its dates,
        and its key made the signature (ECDSA, SHA-256).
        """
        leaf = read_certificate(certificate_pem)
        self._check_issued(leaf)
        now = _moment(self._clock)
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            raise BadRequest("the certificate has expired: enrol this host again")
        check_signature(leaf, signed, signature)
        return agent_id(leaf)

    def _check_issued(self, leaf: x509.Certificate) -> None:
        try:
            leaf.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            raise BadRequest("the certificate is of another CA") from None

    def _is_good(self, path: Path, key: ec.EllipticCurvePublicKey) -> bool:
        if not path.exists():
            return False
        try:
            leaf = read_certificate(path.read_text("ascii"))
            self._check_issued(leaf)
        except BadRequest:
            return False
        left = leaf.not_valid_after_utc - _moment(self._clock)
        return leaf.public_key() == key and left > RENEW_BEFORE_END

    def _issue(self, key: ec.EllipticCurvePublicKey, role: Role, holder: str) -> x509.Certificate:
        begin = _moment(self._clock) - _BACKDATED
        end = min(begin + _BACKDATED + LEAF_LIFETIME, self._certificate.not_valid_after_utc)
        leaf = (
            builder(holder, self._certificate.subject, key, begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), CRITICAL)
            .add_extension(key_usage(ca=False), CRITICAL)
            .add_extension(x509.ExtendedKeyUsage([_USAGE[role]]), NOT_CRITICAL)
            .add_extension(one_name(role, holder), NOT_CRITICAL)
            .add_extension(issuer_id(self._key), NOT_CRITICAL)
        )
        return leaf.sign(self._key, hashes.SHA256())


def _make_authority(folder: Path, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Roundsman fleet CA")])
    begin = now - _BACKDATED
    certificate = (
        builder("Roundsman fleet CA", name, key.public_key(), begin)
        .not_valid_after(now + _CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), CRITICAL)
        .add_extension(key_usage(ca=True), CRITICAL)
        .add_extension(issuer_id(key), NOT_CRITICAL)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / "ca-key.pem", private_pem(key))
    write_whole(folder / "ca.pem", pem(certificate).encode(), READABLE)


def _moment(clock: Clock) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock(), dt.UTC)
