from sqlalchemy import Engine

from coordinator.model import Host, HostStanding
from coordinator.store.enrolment import Book
from coordinator.store.fleet import Fleet
from coordinator.store.members import Members
from tests.trust.enrolment_contract import TOKEN, request

PC = Host("pc-01-abcdef", "PC-01", "main", "office", "workstation", 0, HostStanding.ENROLLED, "")


def test_whoever_is_written_down_as_enrolled_or_held_is_a_member(database: Engine) -> None:
    members = Members(database)
    fleet = Fleet(database, note=members.note)
    assert PC.id not in members
    fleet.put_host(PC)
    assert PC.id in members
    fleet.set_standing(PC.id, HostStanding.HELD)
    assert PC.id in members


def test_a_revoked_host_is_no_member_from_then_on_and_after_a_restart(database: Engine) -> None:
    members = Members(database)
    fleet = Fleet(database, note=members.note)
    fleet.put_host(PC)
    fleet.set_standing(PC.id, HostStanding.REVOKED)
    assert PC.id not in members
    assert PC.id not in Members(database)


def test_members_are_known_after_a_restart(database: Engine) -> None:
    Fleet(database).put_host(PC)
    assert PC.id in Members(database)


def test_a_host_is_a_member_as_soon_as_its_request_is_granted(database: Engine) -> None:
    members = Members(database)
    book = Book(database, note=members.note)
    asked = request(1)
    book.add_token(TOKEN)
    book.admit(asked, TOKEN.hash)
    assert asked.host_id not in members
    book.settle(asked.granted("QUJD", "1f"))
    assert asked.host_id in members
