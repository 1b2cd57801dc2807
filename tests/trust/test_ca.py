import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from agent.keys import HostKey
from coordinator.fleet.ca import Authority
from coordinator.fleet.certificates import BadRequest
from tests.trust.office import Clock

DAY = 86400


def agent_certificate(authority: Authority, folder: Path, host: str = "pc-01-abcdef") -> str:
    return authority.sign_csr(HostKey.open(folder / "key.pem").request(), host)


def modes(folder: Path) -> set[str]:
    return {oct(p.stat().st_mode & 0o777) for p in folder.rglob("*key*.pem")}


def test_the_ca_made_twice_is_the_same_and_its_keys_are_private(tmp_path: Path) -> None:
    first = Authority.open(tmp_path)
    pair = first.issue_coordinator(tmp_path / "coordinator")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.pem")}
    second = Authority.open(tmp_path)
    second.issue_coordinator(tmp_path / "coordinator")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.pem")} == before
    assert first.fingerprint == second.fingerprint
    assert modes(tmp_path) == {"0o600"}
    assert pair.certificate in before


def test_a_ca_whose_making_was_cut_after_the_key_is_made_anew(tmp_path: Path) -> None:
    Authority.open(tmp_path)
    (tmp_path / "ca.pem").unlink()
    assert Authority.open(tmp_path).certificate_pem.startswith(b"-----BEGIN")


def test_a_ca_key_that_is_not_the_certificates_is_refused(tmp_path: Path) -> None:
    Authority.open(tmp_path / "one")
    Authority.open(tmp_path / "two")
    (tmp_path / "two" / "ca-key.pem").replace(tmp_path / "one" / "ca-key.pem")
    with pytest.raises(ValueError, match="its key is not its certificate's"):
        Authority.open(tmp_path / "one")


def test_the_certificates_pass_the_strict_checks_of_a_real_handshake(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path)
    pair = authority.issue_coordinator(tmp_path)
    leaf = tmp_path / "agent.pem"
    leaf.write_text(agent_certificate(authority, tmp_path))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(pair.certificate, pair.key)
    client.load_cert_chain(leaf, tmp_path / "key.pem")
    client.check_hostname = False
    for context in (server, client):
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_verify_locations(tmp_path / "ca.pem")
    subject = handshake(server, client)
    assert subject == (("URI", "urn:roundsman:agent:pc-01-abcdef"),)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> object:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = ends[0].getpeercert()
    assert certificate is not None
    return certificate["subjectAltName"]


def test_a_leaf_carries_one_name_begins_a_day_early_and_lives_90_days(tmp_path: Path) -> None:
    clock = Clock()
    leaf = x509.load_pem_x509_certificate(
        agent_certificate(Authority.open(tmp_path, clock), tmp_path).encode()
    )
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["urn:roundsman:agent:pc-01-abcdef"]
    assert leaf.not_valid_before_utc.timestamp() == pytest.approx(clock() - DAY, abs=5)
    assert leaf.not_valid_after_utc.timestamp() == pytest.approx(clock() + 90 * DAY, abs=5)


def test_names_that_a_request_asks_for_are_ignored(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    wish = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("urn:roundsman:coordinator:main")]
    )
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "main")]))
        .add_extension(wish, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    leaf = x509.load_pem_x509_certificate(
        Authority.open(tmp_path).sign_csr(pem, "pc-01-abcdef").encode()
    )
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["urn:roundsman:agent:pc-01-abcdef"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("kind", ["rsa", "p384", "garbage"])
def test_only_p256_keys_are_certified(tmp_path: Path, kind: str) -> None:
    csr = "nonsense"
    if kind != "garbage":
        key = (
            rsa.generate_private_key(65537, 2048)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP384R1())
        )
        built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(BadRequest, match="certificate request"):
        Authority.open(tmp_path).sign_csr(csr, "pc-01-abcdef")


def test_the_coordinators_certificate_is_renewed_in_its_last_month(tmp_path: Path) -> None:
    clock = Clock()
    authority = Authority.open(tmp_path, clock)
    pair = authority.issue_coordinator(tmp_path)
    first = pair.certificate.read_bytes()
    clock.ahead = 59 * DAY
    authority.issue_coordinator(tmp_path)
    assert pair.certificate.read_bytes() == first
    clock.ahead = 61 * DAY
    authority.issue_coordinator(tmp_path)
    assert pair.certificate.read_bytes() != first
