"""One mail over one line, to a real mail server and to what only looks like one."""

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
import trustme
from aiosmtpd.controller import Controller

from coordinator.mail_settings import Security
from coordinator.notify.letter import trial_mail
from coordinator.notify.line import Patience, RefusedForGood, RefusedNow, ServerAway, send
from tests.notify.server import Office, Postbox, talking

TO = "marie@office.example"
IMPATIENT = Patience(call=0.3, whole=1.0)


def _send(office: Office, patience: Patience = IMPATIENT, **changes: object) -> None:
    settings = office.settings(**changes)
    send(settings, trial_mail(settings, TO, "abc", 1.7e9), TO, patience)


def test_a_mail_is_delivered_encrypted_and_logged_in(office: Office) -> None:
    with office.serving() as box:
        _send(office, Patience())
    assert [mail["Message-ID"] for mail in box.taken] == ["<abc@office.example>"]
    assert box.taken[0]["From"] == "roundsman@office.example"


def test_a_recipient_that_is_refused_for_good_is_named_in_the_servers_words(
    office: Office,
) -> None:
    office.box.refused[TO] = "550 5.1.1 nobody of that name"
    with office.serving(), pytest.raises(RefusedForGood, match=r"550 5\.1\.1 nobody of that"):
        _send(office)


@pytest.mark.parametrize("at_the_end", [False, True])
def test_what_the_server_wants_later_is_not_refused_for_good(
    office: Office, at_the_end: bool
) -> None:
    if at_the_end:
        office.box.at_the_end = "452 4.3.1 disk full"
    else:
        office.box.refused[TO] = "450 4.2.1 greylisted"
    with office.serving(), pytest.raises(RefusedNow, match="the mail server says 45"):
        _send(office)


def test_a_mail_that_the_server_does_not_like_is_refused_for_good(office: Office) -> None:
    office.box.at_the_end = "554 5.7.1 it smells"
    with office.serving(), pytest.raises(RefusedForGood, match=r"554 5\.7\.1 it smells"):
        _send(office)


def test_a_wrong_password_is_said_in_words(office: Office) -> None:
    office.password("wrong")
    with office.serving(), pytest.raises(ServerAway, match="refuses user and password: 535"):
        _send(office)


def test_a_password_with_an_accent_is_said_in_words(office: Office) -> None:
    office.password("été")
    with office.serving(), pytest.raises(ServerAway, match="plain letters"):
        _send(office)


def test_a_password_file_that_others_can_read_is_not_used(office: Office, tmp_path: Path) -> None:
    (tmp_path / "mail.password").chmod(0o644)
    with office.serving(), pytest.raises(ServerAway, match="other users of this machine"):
        _send(office)


def test_a_server_that_nobody_vouches_for_gets_nothing(office: Office, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with office.serving() as box, pytest.raises(ServerAway, match="certificate is not one to"):
        _send(office, ca_file=other)
    assert box.taken == []


def test_a_server_of_another_name_gets_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, "mail.elsewhere.example")
    with office.serving() as box, pytest.raises(ServerAway, match="certificate is not one to"):
        _send(office)
    assert box.taken == []


def test_a_ca_file_that_is_none_is_said_in_words(office: Office, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(ServerAway, match="cannot use the mail server"):
        _send(office, ca_file=tmp_path / "none.pem")


def test_a_server_without_encryption_gets_neither_password_nor_mail(office: Office) -> None:
    box = Postbox()
    plain = Controller(box, hostname="127.0.0.1", port=office.port)
    plain.start()
    try:
        with pytest.raises(ServerAway, match="does not offer what is needed: STARTTLS"):
            _send(office)
    finally:
        plain.stop()
    assert box.taken == []


def test_a_server_on_this_machine_may_do_without(office: Office) -> None:
    box = Postbox()
    plain = Controller(box, hostname="127.0.0.1", port=office.port)
    plain.start()
    try:
        _send(office, Patience(), security=Security.NONE, user="", password_file=None)
    finally:
        plain.stop()
    assert len(box.taken) == 1


def test_a_line_may_be_encrypted_from_its_first_byte(office: Office) -> None:
    box = Postbox()
    tls = Controller(box, hostname="127.0.0.1", port=office.port, ssl_context=office.context)
    tls.start()
    try:
        _send(office, Patience(), security=Security.TLS, user="", password_file=None)
    finally:
        tls.stop()
    assert len(box.taken) == 1


def test_nobody_there_is_said_in_words(office: Office) -> None:
    with pytest.raises(ServerAway, match=f"127.0.0.1:{office.port}: Connection refused"):
        _send(office)


def _says(text: bytes) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.sendall(text)
        while peer.recv(4096):
            pass

    return talk


def _dribble(peer: socket.socket) -> None:
    peer.sendall(b"220")
    dribbled = Event()
    while not dribbled.wait(0.05):
        peer.sendall(b"-still here\r\n220")


def _endless(peer: socket.socket) -> None:
    peer.sendall(b"220 welcome\r\n")
    while True:
        peer.sendall(b"250-and another thing\r\n" * 500)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize(
    "talk",
    [
        _says(b""),
        _dribble,
        _endless,
        _says(b"\x00\xff\xfe" * 4000 + b"\r\n"),
        _says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        _says(b"554 go away\x1b[2J\r\n"),
        _says(b"220 x\r\n" * 40),
        lambda peer: peer.shutdown(socket.SHUT_RDWR),
    ],
    ids=["silent", "slow", "endless", "garbage", "ssh", "refusing", "ahead", "gone"],
)
def test_what_is_no_mail_server_ends_the_try_in_words(
    tmp_path: Path, talk: Callable[[socket.socket], None], security: Security
) -> None:
    office = Office(tmp_path)
    with talking(office.port, talk), pytest.raises(ServerAway) as caught:
        _send(office, security=security)
    said = str(caught.value)
    assert said.startswith("cannot use the mail server 127.0.0.1:")
    assert said.isprintable()
