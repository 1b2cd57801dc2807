"""Hosts over the API: let in, listed, held, revoked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.enrol import EnrolProblem, enrol
from coordinator.api.asks import ImportAsk, TokenAsk
from coordinator.api.client import Client
from coordinator.complaint import Complaint
from coordinator.fleet.enrolment_book import Approval
from coordinator.fleet.standing import Standing
from coordinator.model import HostStanding
from tests.api.real import RealOffice


def _token(client: Client, approval: Approval) -> str:
    return client.token(TokenAsk(group="office", uses=2, approval=approval)).token


def test_a_host_that_waits_is_listed_approved_and_then_in_the_fleet(
    office: RealOffice, tmp_path: Path
) -> None:
    with office.client() as client:
        token = _token(client, Approval.OPERATOR)
        with pytest.raises(EnrolProblem, match="waits for approval"):
            enrol(token, "PC-07", tmp_path / "agent", lambda _seconds: False)
        (asked,) = client.hosts()
        assert (asked.name, asked.standing) == ("PC-07", HostStanding.WAITING)
        assert asked.needs_a_person
        assert client.approve("PC-07").standing is HostStanding.ENROLLED
        enrolled = enrol(token, "PC-07", tmp_path / "agent", lambda _seconds: False)
        assert [h.id for h in client.hosts()] == [enrolled.host_id]


def test_a_host_is_approved_once(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client:
        token = _token(client, Approval.AUTOMATIC)
        enrol(token, "PC-07", tmp_path / "agent", lambda _seconds: False)
        with pytest.raises(Complaint, match=r"cannot approve PC-07: .*waiting no longer"):
            client.approve("PC-07")


def test_a_host_that_waits_can_be_turned_away(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client:
        token = _token(client, Approval.OPERATOR)
        with pytest.raises(EnrolProblem):
            enrol(token, "PC-07", tmp_path / "agent", lambda _seconds: False)
        client.revoke("PC-07", "not ours")
        assert client.hosts() == []
        with pytest.raises(EnrolProblem, match="turned this host away: not ours"):
            enrol(token, "PC-07", tmp_path / "agent", lambda _seconds: False)


def test_the_list_says_which_links_are_up(office: RealOffice) -> None:
    first, second, third = office.add_hosts()
    now = datetime.now(UTC)
    office.links.known = {
        first.id: Standing(first.id, linked=True, since=now, last_heard=now, address="10.0.0.7"),
        second.id: Standing(second.id, problem="its certificate was revoked"),
    }
    with office.client() as client:
        found = {host.name: host for host in client.hosts()}
    assert found["PC-01"].linked
    assert found["PC-01"].last_heard == pytest.approx(now.timestamp())
    assert found["PC-02"].needs_a_person
    assert not found[third.name].linked


def test_a_hold_is_put_on_and_ended(office: RealOffice) -> None:
    office.add_hosts()
    with office.client() as client:
        held = client.hold("pc-01", "Marie is on the telephone")
        assert (held.standing, held.reason) == (HostStanding.HELD, "Marie is on the telephone")
        assert client.release("PC-01").standing is HostStanding.ENROLLED


def test_a_revoked_host_loses_its_link_and_its_place(office: RealOffice) -> None:
    host, *_ = office.add_hosts()
    with office.client() as client:
        assert client.revoke(host.name, "stolen").standing is HostStanding.REVOKED
        assert office.links.dropped == [f"{host.id}: revoked"]
        assert office.fleet.refused() == {host.id}
        assert host.id not in {h.id for h in client.hosts()}
        assert host.id in {h.id for h in client.hosts(revoked=True)}
        with pytest.raises(Complaint, match="cannot change PC-01: it is revoked") as caught:
            client.hold(host.id, "")
    assert "roundsman fleet token" in caught.value.mend


def test_an_unknown_host_is_named(office: RealOffice) -> None:
    with office.client() as client:
        for ask in (client.host, client.approve, client.release):
            with pytest.raises(Complaint, match="no host 'PC-99'") as caught:
                ask("PC-99")
            assert caught.value.mend == "roundsman fleet list"


def test_a_name_that_no_path_can_carry_is_answered_plainly(office: RealOffice) -> None:
    office.add_hosts()
    with office.client() as client, pytest.raises(Complaint, match="nothing can be asked at"):
        client.host("../../etc/passwd?x=1#y")


def test_every_command_leaves_a_line_in_the_audit_trail(office: RealOffice) -> None:
    office.add_hosts()
    with office.client() as client:
        client.hold("PC-01", "holiday")
        with pytest.raises(Complaint):
            client.hold("PC-99", "")
        client.hosts()
        lines = [(line.who, line.what, line.detail) for line in client.audit(10)]
    assert lines == [
        ("ann", "fleet hold", "PC-99 refused: no host 'PC-99' in the fleet"),
        ("ann", "fleet hold", "PC-01 reason=holiday"),
    ]


def test_a_fleet_file_gives_hosts_their_places(office: RealOffice) -> None:
    office.add_hosts()
    text = '[[host]]\nname = "pc-02"\ngroup = "attic"\n[[host]]\nname = "PC-09"\ngroup = "attic"\n'
    with office.client() as client:
        done = client.import_fleet(ImportAsk(text=text))
        assert (done.changed, done.absent) == (["pc-02"], ["PC-09"])
        assert client.import_fleet(ImportAsk(text=text)).unchanged == ["pc-02"]
        moved = client.host("pc-02-abcdef")
    assert (moved.group, moved.order, moved.standing) == ("attic", 1, HostStanding.ENROLLED)


def test_a_malformed_fleet_file_changes_nothing(office: RealOffice) -> None:
    office.add_hosts()
    text = '[[host]]\nname = "PC-01"\ngroup = "attic"\n[[host]]\nname = "PC-02"\n'
    with office.client() as client:
        with pytest.raises(Complaint, match=r"mine.toml:4: host 2: group: missing"):
            client.import_fleet(ImportAsk(text=text, file="mine.toml"))
        assert {h.group for h in client.hosts()} == {"office"}
