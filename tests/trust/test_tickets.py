from pathlib import Path

import pytest

from coordinator.releases.tickets import TICKET_SECONDS, BadTicket, Tickets
from tests.trust.office import Clock

ONE, OTHER = "1" * 64, "2" * 64


def test_a_ticket_lets_its_host_fetch_its_content_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    tickets = Tickets.open(tmp_path / "key", clock)
    ticket = tickets.make("pc-01-abcdef", ONE)
    assert len(ticket) <= 400
    tickets.check(ticket, "pc-01-abcdef", ONE)
    clock.ahead = TICKET_SECONDS + 1
    with pytest.raises(BadTicket, match="expired"):
        tickets.check(ticket, "pc-01-abcdef", ONE)


def test_a_ticket_outlives_a_restart(tmp_path: Path) -> None:
    ticket = Tickets.open(tmp_path / "key").make("pc-01.lan-abcdef", ONE)
    Tickets.open(tmp_path / "key").check(ticket, "pc-01.lan-abcdef", ONE)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("host", "sha256"), [("pc-02-abcdef", ONE), ("pc-01-abcdef", OTHER)])
def test_a_ticket_is_no_good_for_another_host_or_content(
    tmp_path: Path, host: str, sha256: str
) -> None:
    tickets = Tickets.open(tmp_path / "key")
    with pytest.raises(BadTicket):
        tickets.check(tickets.make("pc-01-abcdef", ONE), host, sha256)


def test_a_ticket_cannot_be_prolonged_or_made_elsewhere(tmp_path: Path) -> None:
    tickets = Tickets.open(tmp_path / "key")
    host, expiry, mac = tickets.make("pc-01-abcdef", ONE).rsplit(".", 2)
    forged = [
        f"{host}.{int(expiry) + 1}.{mac}",
        Tickets.open(tmp_path / "other").make(host, ONE),
        f"{host}.later.{mac}",
        f"{host}.{expiry}.{mac[:-1]}",
        f"{host}.{expiry}.\u00e9",
        "",
        "...",
    ]
    for ticket in forged:
        with pytest.raises(BadTicket):
            tickets.check(ticket, host, ONE)
