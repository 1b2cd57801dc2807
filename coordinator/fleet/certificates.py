"""What the fleet's certificates hold, and how theirs and requests for them are read.

Whatever comes from outside is judged here and answered with `BadRequest`, a sentence.
"""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.wire.tls import Role

CRITICAL, NOT_CRITICAL = True, False


class BadRequest(ValueError):  # noqa: N818 - reads better where it is caught
    """A certificate cannot be given for this request."""


def builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: dt.datetime
) -> x509.CertificateBuilder:
    """Return the beginning of a certificate for `key`, its dates still open at the end."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), NOT_CRITICAL)
    )


def key_usage(*, ca: bool) -> x509.KeyUsage:
    """Return what the key may be used for: signing certificates, or nothing but TLS."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def one_name(role: Role, holder: str) -> x509.SubjectAlternativeName:
    """Return the one name of a certificate: its role and its id."""
    return x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(f"urn:roundsman:{role}:{holder}")]
    )


def issuer_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    """Return the extension that says whose key signed."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def key_of(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key of a certificate request that it signed itself.

    Raises `BadRequest`.
    """
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        key = csr.public_key()
        sound = csr.is_signature_valid
    except (ValueError, TypeError):
        raise BadRequest("the certificate request cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadRequest("the certificate request is not for a P-256 key")
    if not sound:
        raise BadRequest("the certificate request is not signed with its own key")
    return key


def check_signature(leaf: x509.Certificate, signed: bytes, signature: bytes) -> None:
    """Return when the key of `leaf` signed `signed`. Raises `BadRequest` otherwise."""
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadRequest("the certificate is not for a P-256 key")
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise BadRequest("the request is not signed with the certificate's key") from None


def agent_id(leaf: x509.Certificate) -> str:
    """Return the id in an agent's certificate. Raises `BadRequest` for any other role."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    role, _, holder = uris[0].removeprefix("urn:roundsman:").partition(":")
    if len(uris) != 1 or role != Role.AGENT:
        raise BadRequest("the certificate is not an agent's")
    return holder


def read_certificate(pem: str) -> x509.Certificate:
    """Return the certificate in a PEM text. Raises `BadRequest`."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise BadRequest("the certificate cannot be read") from None


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key in a PEM file of ours. Raises `OSError`, `TypeError`, `ValueError`."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"cannot use {path}: not a P-256 key")
    return key


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def serial_of(certificate_pem: str) -> str:
    """Return a certificate's serial as links show it: lower-case hexadecimal."""
    return format(read_certificate(certificate_pem).serial_number, "x")
