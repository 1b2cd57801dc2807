"""Strangers at the door keep nobody out, and everything they took is given back."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from agent.wire.tls import Identity, Side, cut, dial, make_context
from coordinator.fleet.doorstep import Doorstep, ListenerLimits
from coordinator.fleet.hub import HubOptions
from tests.until import until
from tests.wire.fakes import CORDON, FakeAgent
from tests.wire.pair import Office, office
from tests.wire.pki import TestCa
from tests.wire.raw import has_ended

OPTIONS = HubOptions("0.1.0", ping_every=60)
PATIENT = ListenerLimits(handshake_seconds=30.0)
CLIENT_HELLO = bytes.fromhex("160301020001") + bytes(300)  # its beginning, and never its end


@contextmanager
def strangers(here: Office, count: int, first_words: bytes = b"") -> Iterator[list[socket.socket]]:
    """Yield that many connections, from eight of each loopback address."""
    with ExitStack() as stack:
        sockets = []
        for number in range(count):
            source = (f"127.0.1.{number // 8 + 1}", 0)
            address = ("127.0.0.1", here.listener.port)
            sock = socket.create_connection(address, 5, source_address=source)
            stack.enter_context(sock)
            sock.sendall(first_words)
            sockets.append(sock)
        yield sockets


@pytest.mark.parametrize("first_words", [b"", CLIENT_HELLO[:3], CLIENT_HELLO], ids=len)
def test_an_agent_links_and_answers_beside_200_that_do_not_finish(
    ca: TestCa, first_words: bytes
) -> None:
    with office(ca, OPTIONS, PATIENT) as here, strangers(here, 200, first_words):
        here.linked_agent("pc-03", FakeAgent())
        assert here.hub.call("pc-03", "cordon", CORDON, 5).guarded


def test_a_silent_caller_is_sent_away_at_the_deadline(ca: TestCa) -> None:
    limits = ListenerLimits(handshake_seconds=0.2)
    with office(ca, OPTIONS, limits) as here, strangers(here, 3) as silent:
        assert all(_ended(sock) for sock in silent)


def test_a_caller_that_drips_its_handshake_is_sent_away_at_the_deadline(ca: TestCa) -> None:
    limits = ListenerLimits(handshake_seconds=0.3)
    with office(ca, OPTIONS, limits) as here, strangers(here, 1) as dripping:
        stop = threading.Event()

        def drip() -> None:
            for byte in CLIENT_HELLO:
                if stop.wait(0.02):
                    return
                try:
                    dripping[0].sendall(bytes([byte]))
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        assert _ended(dripping[0])
        stop.set()
        thread.join(10)


def test_what_is_not_tls_is_sent_away_at_once(ca: TestCa) -> None:
    with (
        office(ca, OPTIONS, PATIENT) as here,
        strangers(here, 1, b"GET / HTTP/1.1\r\n\r\n") as odd,
    ):
        assert _ended(odd[0])


def _ended(sock: socket.socket) -> bool:
    sock.settimeout(10)
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def test_one_address_has_only_so_many_handshakes(ca: TestCa) -> None:
    with office(ca, OPTIONS, PATIENT) as here, ExitStack() as stack:
        address = ("127.0.0.1", here.listener.port)
        some = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(9)]
        assert _ended(some[8])


def test_half_open_callers_from_its_own_address_only_delay_an_agent(ca: TestCa) -> None:
    limits = ListenerLimits(handshake_seconds=0.5)
    with office(ca, OPTIONS, limits) as here, ExitStack() as stack:
        address = ("127.0.0.1", here.listener.port)
        for _ in range(50):
            stack.enter_context(socket.create_connection(address, 5))
        here.linked_agent("pc-03", FakeAgent())
        assert here.hub.call("pc-03", "cordon", CORDON, 5).guarded


def test_a_full_door_admits_nobody_until_somebody_leaves() -> None:
    door = Doorstep(ListenerLimits(pending=2))
    one, other = socket.socketpair()
    with one, other:
        first = door.enter(one, "10.0.0.1")
        second = door.enter(other, "10.0.0.2")
        assert first is not None
        assert second is not None
        assert door.enter(one, "10.0.0.3") is None
        door.leave(first)
        door.leave(first)  # leaving twice frees one place
        assert door.enter(one, "10.0.0.3") is not None
        assert door.enter(other, "10.0.0.4") is None


def test_closing_ends_every_thread_and_every_caller(ca: TestCa) -> None:
    with office(ca, OPTIONS, PATIENT) as here, strangers(here, 20) as silent:
        here.linked_agent("pc-03", FakeAgent())
        here.listener.close()
        here.hub.close()
        assert all(_ended(sock) for sock in silent)
        here.uplinks[0].stop()
    names = ("listener", "handshake", "greeter", "pinger", "fan-out", "uplink")
    until(lambda: not [t.name for t in threading.enumerate() if t.name.startswith(names)])


def test_a_renewed_certificate_is_shown_to_the_next_caller(ca: TestCa) -> None:
    with office(ca, OPTIONS) as here:
        here.listener.context = make_context(Side.SERVER, ca.coordinator("renewed"))
        context = make_context(Side.CLIENT, ca.agent("pc-03"))
        with dial(("127.0.0.1", here.listener.port), context, 5) as link:
            names = link.getpeercert()
            assert "urn:roundsman:coordinator:renewed" in str(names)
            cut(link)


def test_a_deny_list_that_cannot_be_read_lets_nobody_in(
    ca: TestCa, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable(_identity: Identity) -> bool:
        raise RuntimeError("a defect")

    with office(ca, HubOptions("0.1.0", is_refused=unreadable)) as here:
        context = make_context(Side.CLIENT, ca.agent("pc-03"))
        with dial(("127.0.0.1", here.listener.port), context, 5) as link:
            assert has_ended(link)
        until(lambda: "RuntimeError: a defect" in caplog.text)
        assert not here.hub.linked()


def test_a_client_without_a_certificate_is_refused(ca: TestCa) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca.certificate)
    with office(ca, OPTIONS) as here, dial(("127.0.0.1", here.listener.port), context, 5) as link:
        assert has_ended(link)
        assert not here.hub.standings()
