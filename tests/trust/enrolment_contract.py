"""What every `EnrolmentBook` keeps to. Inherit, and give the two fixtures.

class TestStoreBook(EnrolmentContract):
    @pytest.fixture
    def book(self, tmp_path): ...

    @pytest.fixture
    def revoke(self, book): return book.revoke    # a function of a host id
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from coordinator.fleet.enrolment_book import (
    Admission,
    Approval,
    EnrolmentBook,
    EnrolRequest,
    Place,
    TokenRecord,
)
from coordinator.model import HostStanding

PLACE = Place("main", "office", "workstation")
TOKEN = TokenRecord("a" * 64, PLACE, Approval.OPERATOR, uses_left=2, expires=5e9, made_by="ann")

Revoke = Callable[[str], object]


def request(number: int, name: str = "") -> EnrolRequest:
    return EnrolRequest(
        host_id=f"pc-{number:02}-abcdef",
        name=name or f"PC-{number:02}",
        place=PLACE,
        approval=Approval.OPERATOR,
        csr="QUJD",
        proof_hash=f"{number:064x}",
        asked_at=1.0,
    )


class EnrolmentContract:
    def test_a_token_is_found_by_the_hash_of_its_secret(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        assert book.token(TOKEN.hash) == TOKEN
        assert book.token("b" * 64) is None

    def test_an_admitted_request_is_found_by_id_and_by_proof(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        assert book.admit(request(1), TOKEN.hash) is Admission.ADMITTED
        assert book.request("pc-01-abcdef") == request(1)
        assert book.request_by_proof(request(1).proof_hash) == request(1)
        assert book.request("pc-02-abcdef") is None
        assert book.request_by_proof("f" * 64) is None

    def test_each_admission_takes_one_use(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        admissions = [book.admit(request(n), TOKEN.hash) for n in (1, 2, 3)]
        assert admissions == [Admission.ADMITTED, Admission.ADMITTED, Admission.USED_UP]
        left = book.token(TOKEN.hash)
        assert left is not None
        assert left.uses_left == 0
        assert book.request("pc-03-abcdef") is None

    def test_an_unknown_token_admits_nobody(self, book: EnrolmentBook) -> None:
        assert book.admit(request(1), "b" * 64) is Admission.USED_UP
        assert book.request("pc-01-abcdef") is None

    def test_of_many_at_once_only_as_many_get_in_as_there_are_uses(
        self, book: EnrolmentBook
    ) -> None:
        book.add_token(TOKEN)
        with ThreadPoolExecutor(8) as pool:
            admissions = list(pool.map(lambda n: book.admit(request(n), TOKEN.hash), range(8)))
        assert admissions.count(Admission.ADMITTED) == 2

    def test_a_name_is_held_while_its_host_waits_and_costs_no_use(
        self, book: EnrolmentBook
    ) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        assert book.admit(request(2, "pc-01"), TOKEN.hash) is Admission.NAME_TAKEN
        left = book.token(TOKEN.hash)
        assert left is not None
        assert left.uses_left == 1

    def test_a_granted_request_is_a_host_of_the_fleet(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        assert book.standing("pc-01-abcdef") in {None, HostStanding.WAITING}
        granted = request(1).granted("Q0VSVA==", "1f")
        assert book.settle(granted)
        assert book.standing("pc-01-abcdef") is HostStanding.ENROLLED
        assert book.request("pc-01-abcdef") == granted
        assert book.admit(request(2, "PC-01"), TOKEN.hash) is Admission.NAME_TAKEN

    def test_a_request_is_settled_once(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        assert book.settle(request(1).refused("not ours"))
        assert not book.settle(request(1).granted("Q0VSVA==", "1f"))
        assert book.request("pc-01-abcdef") == request(1).refused("not ours")

    def test_a_refused_host_does_not_hold_its_name(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        book.settle(request(1).refused("not ours"))
        assert book.admit(request(2, "PC-01"), TOKEN.hash) is Admission.ADMITTED

    def test_a_revoked_host_does_not_hold_its_name(
        self, book: EnrolmentBook, revoke: Revoke
    ) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        book.settle(request(1).granted("Q0VSVA==", "1f"))
        revoke("pc-01-abcdef")
        assert book.standing("pc-01-abcdef") is HostStanding.REVOKED
        assert book.admit(request(2, "PC-01"), TOKEN.hash) is Admission.ADMITTED

    def test_a_renewal_changes_nothing_but_the_serial(self, book: EnrolmentBook) -> None:
        book.add_token(TOKEN)
        book.admit(request(1), TOKEN.hash)
        book.settle(request(1).granted("Q0VSVA==", "1f"))
        book.renewed("pc-01-abcdef", "2f")
        assert book.standing("pc-01-abcdef") is HostStanding.ENROLLED
