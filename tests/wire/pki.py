"""A throw-away CA, as strict as ours, that also makes the certificates nobody should accept."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.wire.tls import Credentials
from coordinator.fleet.certificates import (
    builder,
    issuer_id,
    key_usage,
    load_key,
    pem,
    private_pem,
    read_certificate,
)

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Leaf:
    """What a certificate says; the defaults are a good one, made a moment ago."""

    names: tuple[str, ...]
    begin: dt.timedelta = -DAY  # from now
    end: dt.timedelta = 90 * DAY
    common_name: str = "a leaf"
    usage: x509.ObjectIdentifier | None = None  # None = whatever it likes


class TestCa:
    """One CA, in a folder of its own."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = dt.datetime.now(dt.UTC) - 30 * DAY
        certificate = (
            builder(name, self._name, self._key.public_key(), begin)
            .not_valid_after(begin + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(ca=True), critical=True)
            .add_extension(issuer_id(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / "ca.pem"
        self.certificate.write_text(pem(certificate))

    @classmethod
    def stolen(cls, folder: Path, home: Path) -> Self:
        """Return the CA whose key lies in `home`; what it makes lies in `folder`."""
        ca = cls(folder)
        ca._key, ca.certificate = load_key(home / "ca-key.pem"), home / "ca.pem"
        ca._name = read_certificate(ca.certificate.read_text("ascii")).subject
        return ca

    def agent(self, name: str) -> Credentials:
        return self.issue(Leaf((f"urn:roundsman:agent:{name}",)))

    def coordinator(self, name: str = "main") -> Credentials:
        return self.issue(Leaf((f"urn:roundsman:coordinator:{name}",)))

    def issue(self, leaf: Leaf) -> Credentials:
        """Return files with a key and a certificate that says what `leaf` says."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        draft = (
            builder(leaf.common_name, self._name, key.public_key(), now + leaf.begin)
            .not_valid_after(now + leaf.end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(ca=False), critical=True)
            .add_extension(issuer_id(self._key), critical=False)
        )
        if leaf.usage:
            draft = draft.add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        if leaf.names:
            uris = [x509.UniformResourceIdentifier(name) for name in leaf.names]
            draft = draft.add_extension(x509.SubjectAlternativeName(uris), critical=False)
        return self._write(draft.sign(self._key, hashes.SHA256()), key)

    def _write(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> Credentials:
        stem = format(certificate.serial_number, "x")
        files = (self._folder / f"{stem}.key", self._folder / f"{stem}.pem")
        files[0].write_bytes(private_pem(key))
        files[1].write_text(pem(certificate))
        return Credentials(files[0], files[1], self.certificate)
