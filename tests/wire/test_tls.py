"""Who may link with whom is what the certificates say, and nothing else."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from agent.uplink import Uplink, UplinkOptions
from agent.uplink_status import LineState, read_status
from agent.wire.errors import IdentityError, LinkRefusal
from agent.wire.tls import (
    Credentials,
    Identity,
    Role,
    Side,
    check_peer,
    dial,
    is_refusal,
    make_context,
    peer_identity,
)
from coordinator.fleet.ca import Authority
from coordinator.fleet.certificates import serial_of
from coordinator.fleet.hub import HubOptions
from tests.until import until
from tests.wire.fakes import FakeAgent
from tests.wire.pair import QUICK, office, tls_pair
from tests.wire.pki import DAY, Leaf, TestCa

OPTIONS = HubOptions("0.1.0", ping_every=60)
AGENT = "urn:roundsman:agent:pc-03"
NOT_ACCEPTED = {
    "expired": Leaf((AGENT,), begin=-20 * DAY, end=-dt.timedelta(minutes=1)),
    "not-yet-valid": Leaf((AGENT,), begin=DAY),
}
UNCLEAR = {
    "no-san": (),
    "two-names": (AGENT, "urn:roundsman:agent:pc-04"),
    "name-of-somebody-else": ("https://example.org/pc-03",),
    "unknown-role": ("urn:roundsman:king:pc-03",),
    "no-id": ("urn:roundsman:agent:",),
    "id-with-a-path": ("urn:roundsman:agent:../pc-03",),
    "id-too-long": (f"urn:roundsman:agent:{'x' * 65}",),
}


@contextmanager
def tls_server(credentials: Credentials) -> Iterator[tuple[str, int]]:
    """Yield the address of a server that only shakes hands, once."""
    context = make_context(Side.SERVER, credentials)
    done = threading.Event()

    def accept() -> None:
        raw, _ = server.accept()
        try:
            with context.wrap_socket(raw, server_side=True):
                done.wait(10)
        except OSError:
            raw.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()
        finally:
            done.set()
            thread.join(10)


def refused_by(ca: TestCa, credentials: Credentials) -> LinkRefusal | None:
    """What an uplink with these credentials is told by an office of `ca`."""
    with office(ca, OPTIONS) as here:
        uplink = here.agent("pc-03", FakeAgent(), credentials)
        until(lambda: uplink.standings()[0].state is LineState.REFUSED, what="refused")
        assert not here.hub.linked()
        return uplink.standings()[0].refusal


def test_both_ends_know_each_other_by_certificate(ca: TestCa) -> None:
    with tls_pair(ca) as ends:
        assert check_peer(ends.agent, Role.COORDINATOR, "main").id == "main"
        assert check_peer(ends.coordinator, Role.AGENT).id == "pc-03"


def test_a_serial_is_what_the_certificate_of_our_own_ca_says(tmp_path: Path) -> None:
    pair = Authority.open(tmp_path).issue_coordinator(tmp_path)
    own = Credentials(pair.key, pair.certificate, tmp_path / "ca.pem")
    with tls_server(own) as address, dial(address, make_context(Side.CLIENT, own), 5) as link:
        identity = peer_identity(link)
    serial = serial_of(pair.certificate.read_text())
    assert identity == Identity(Role.COORDINATOR, "main", serial)


@pytest.mark.parametrize("leaf", NOT_ACCEPTED.values(), ids=NOT_ACCEPTED.keys())
def test_an_agent_outside_its_dates_is_told_so(ca: TestCa, leaf: Leaf) -> None:
    assert refused_by(ca, ca.issue(leaf)) is LinkRefusal.CERTIFICATE


def test_an_agent_of_another_ca_is_refused_by_both_ends(ca: TestCa, other_ca: TestCa) -> None:
    assert refused_by(ca, other_ca.agent("pc-03")) is LinkRefusal.CERTIFICATE


def test_an_agent_of_another_ca_that_trusts_ours_is_refused(ca: TestCa, other_ca: TestCa) -> None:
    theirs = other_ca.agent("pc-03")
    rogue = Credentials(theirs.key, theirs.certificate, ca.certificate)
    assert refused_by(ca, rogue) is LinkRefusal.CERTIFICATE


def test_a_coordinator_cannot_pass_as_an_agent(ca: TestCa) -> None:
    assert refused_by(ca, ca.coordinator()) is LinkRefusal.WRONG_ROLE


@pytest.mark.parametrize("names", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_an_agent_without_one_clear_name_is_refused(ca: TestCa, names: tuple[str, ...]) -> None:
    assert refused_by(ca, ca.issue(Leaf(names))) is LinkRefusal.WRONG_ROLE


@pytest.mark.parametrize("name", ["urn:roundsman:agent:pc-04", "urn:roundsman:coordinator:other"])
def test_an_agent_serves_its_own_coordinator_only(ca: TestCa, name: str) -> None:
    api = FakeAgent()
    with tls_server(ca.issue(Leaf((name,)))) as address:
        uplink = Uplink([f"127.0.0.1:{address[1]}"], ca.agent("pc-03"), api, QUICK)
        uplink.start()
        until(lambda: uplink.standings()[0].refusal is LinkRefusal.WRONG_ROLE)
        uplink.stop()
    assert not api.asked


@pytest.mark.parametrize("begin", [-20 * DAY, DAY], ids=["expired", "not-yet-valid"])
def test_an_agent_refuses_a_coordinator_outside_its_dates(ca: TestCa, begin: dt.timedelta) -> None:
    leaf = Leaf(("urn:roundsman:coordinator:main",), begin, begin + DAY)
    context = make_context(Side.CLIENT, ca.agent("pc-03"))
    with tls_server(ca.issue(leaf)) as address, pytest.raises(ssl.SSLError) as caught:
        dial(address, context, 5)
    assert is_refusal(caught.value)


def test_a_clock_slow_by_a_day_still_links(tmp_path: Path) -> None:
    """Certificates are back-dated: one made now is good for whoever still has yesterday."""
    pair = Authority.open(tmp_path).issue_coordinator(tmp_path)
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    assert certificate.not_valid_before_utc <= dt.datetime.now(dt.UTC) - DAY


def test_older_tls_is_not_spoken(ca: TestCa) -> None:
    old = make_context(Side.CLIENT, ca.agent("pc-03"))
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_server(ca.coordinator()) as address, pytest.raises(ssl.SSLError):
        dial(address, old, 5)


@pytest.mark.parametrize("side", list(Side))
def test_only_our_ca_is_trusted(ca: TestCa, side: Side) -> None:
    context = make_context(side, ca.agent("pc-03"))
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_peer_without_a_certificate_has_no_identity() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    one, other = socket.socketpair()
    with one, other:
        link = context.wrap_socket(one, do_handshake_on_connect=False)
        with link, pytest.raises((IdentityError, ValueError)):
            peer_identity(link)


def test_what_the_status_command_reads_says_what_to_do(ca: TestCa, tmp_path: Path) -> None:
    file = tmp_path / "links.json"
    own = ca.issue(NOT_ACCEPTED["expired"])
    with office(ca, OPTIONS) as here:
        options = UplinkOptions(after_refusal=QUICK.after_refusal, status_file=file)
        uplink = Uplink([f"127.0.0.1:{here.listener.port}"], own, FakeAgent(), options)
        uplink.start()
        until(lambda: file.exists() and read_status(file).lines[0].refusal)
        line = read_status(file).lines[0]
        uplink.stop()
    assert line.state is LineState.REFUSED
    assert "enrol this PC again" in line.message
    assert read_status(file).lines[0].state is LineState.STOPPED
