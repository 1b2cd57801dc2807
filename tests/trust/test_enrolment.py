import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.config import read_config
from agent.enrol import EnrolProblem, enrol
from agent.keys import HostKey
from agent.wire import places
from agent.wire.atomic import write_whole
from agent.wire.codec import encode
from agent.wire.enrolment import (
    EnrolAnswer,
    EnrolAsk,
    Granted,
    read_token,
    wrap,
    write_token,
)
from agent.wire.first_contact import fetch_ca
from agent.wire.https import Https
from agent.wire.https_errors import Refused, Unreachable
from coordinator.fleet.enrolment import EnrolmentRefused, new_host_id
from coordinator.fleet.enrolment_book import Approval, EnrolRequest
from tests.trust.enrolment_contract import EnrolmentContract
from tests.trust.memory_book import MemoryBook
from tests.trust.office import Office, never

DAY = 86400
PROOF = "p" * 43


class TestMemoryBook(EnrolmentContract):
    @pytest.fixture
    def book(self) -> MemoryBook:
        return MemoryBook()

    @pytest.fixture
    def revoke(self, book: MemoryBook) -> Callable[[str], object]:
        return book.revoke


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path / "office").open() as office:
        yield office


def ask(office: Office, secret: str, proof: str = PROOF, name: str = "PC-09") -> object:
    csr = HostKey.open(office.folder / "ask-key.pem").request()
    (office.folder / "ca-copy.pem").write_bytes(office.authority.certificate_pem)
    with Https(office.address, office.folder / "ca-copy.pem") as https:
        return https.post_json(places.ENROL, encode(EnrolAsk(secret, name, wrap(csr), proof)))


def test_a_host_is_enrolled_from_a_token_alone(office: Office) -> None:
    state, host_id = office.enrol("PC 01 Réception")
    config = read_config(state / "agent.toml")
    assert config.host == host_id
    assert host_id.startswith("pc-01-r-ception-")
    assert config.coordinators[0].https == f"https://{office.address}"
    assert (state / "key.pem").stat().st_mode & 0o777 == 0o600
    assert not (state / "enrolling.json").exists()


def test_the_token_holds_at_least_128_random_bits_and_only_their_hash_is_kept(
    office: Office,
) -> None:
    secret = read_token(office.token()).secret
    assert len(secret) * 6 >= 128
    assert secret not in repr(vars(office.book))


def test_a_token_is_good_for_as_many_hosts_as_it_says(office: Office, tmp_path: Path) -> None:
    token = office.token(uses=2)
    for name in ("PC-01", "PC-02"):
        enrol(token, name, tmp_path / name, never)
    with pytest.raises(EnrolProblem, match="used as often as it may be"):
        enrol(token, "PC-03", tmp_path / "PC-03", never)
    assert not (tmp_path / "PC-03" / "agent.toml").exists()


def test_a_token_is_refused_after_24_hours(office: Office, tmp_path: Path) -> None:
    token = office.token()
    office.clock.ahead = 24 * 3600 + 1
    with pytest.raises(EnrolProblem, match="expired"):
        enrol(token, "PC-01", tmp_path / "PC-01", never)


@pytest.mark.parametrize(
    "text", ["", "roundsman1.", "roundsman1.e30", "hunter2", "roundsman1.ZZ-"]
)
def test_a_text_that_is_no_token_is_told_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnrolProblem, match="token"):
        enrol(text, "PC-01", tmp_path, never)


def test_guessing_is_stopped_after_five_tries_a_minute_even_with_a_right_one(
    office: Office,
) -> None:
    for number in range(5):
        with pytest.raises(Refused, match="not known here"):
            ask(office, f"{number}" * 32)
    right = read_token(office.token()).secret
    with pytest.raises(Refused, match="wait a minute") as refused:
        ask(office, right)
    assert refused.value.status == 429
    office.clock.ahead = 61
    assert ask(office, right)


def test_a_host_waits_for_approval_and_is_then_let_in(office: Office, tmp_path: Path) -> None:
    def approve(_seconds: float) -> bool:
        (waiting,) = (r for r in requests(office) if r.name == "PC-01")
        office.enrolment.approve(waiting.host_id)
        return True

    done = enrol(office.token(Approval.OPERATOR), "PC-01", tmp_path / "s", approve)
    assert office.is_member(done.host_id)


def test_who_enrols_a_host_reads_that_it_waits_and_what_lets_it_in(
    office: Office, tmp_path: Path
) -> None:
    words = ["enrol", office.token(Approval.OPERATOR), "--name", "PC 1", "--state", str(tmp_path)]
    command = [sys.executable, "-m", "agent", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as enrolling:
        assert enrolling.stderr is not None
        told = enrolling.stderr.readline().decode()
        (waiting,) = requests(office)
        office.enrolment.approve(waiting.host_id)
        said, rest = enrolling.communicate(timeout=60)
    assert "waits to be let in" in told
    assert "roundsman fleet approve 'PC 1'" in told
    assert (enrolling.returncode, rest) == (0, b"")
    assert b"a member of the fleet" in said


def requests(office: Office) -> list[EnrolRequest]:
    return office.book.requests()


def test_a_host_that_gives_up_waiting_is_told_what_to_type_and_goes_on_later(
    office: Office, tmp_path: Path
) -> None:
    token = office.token(Approval.OPERATOR)
    with pytest.raises(EnrolProblem, match="roundsman fleet approve pc-01-"):
        enrol(token, "PC-01", tmp_path / "s", never)
    office.enrolment.approve(requests(office)[0].host_id)
    assert enrol(token, "PC-01", tmp_path / "s", never).host_id == requests(office)[0].host_id


def test_a_host_that_was_turned_away_hears_why_and_may_ask_anew(
    office: Office, tmp_path: Path
) -> None:
    def refuse(_seconds: float) -> bool:
        office.enrolment.refuse(requests(office)[0].host_id, "not one of ours")
        return True

    with pytest.raises(EnrolProblem, match="not one of ours"):
        enrol(office.token(Approval.OPERATOR), "PC-01", tmp_path / "s", refuse)
    assert enrol(office.token(), "PC-01", tmp_path / "s", never).host_id


def test_asking_twice_with_the_same_proof_costs_one_use_and_gives_one_answer(
    office: Office,
) -> None:
    secret = read_token(office.token(uses=1)).secret
    assert ask(office, secret) == ask(office, secret)


def test_what_became_of_a_request_is_told_only_to_who_made_it(
    office: Office, tmp_path: Path
) -> None:
    with pytest.raises(EnrolProblem):
        enrol(office.token(Approval.OPERATOR), "PC-01", tmp_path / "s", never)
    message = {"request": requests(office)[0].host_id, "proof": "x" * 43}
    with office.https(tmp_path / "s") as https, pytest.raises(Refused, match="no such request"):
        https.post_json(places.COLLECT, message)


def test_two_hosts_of_one_name_are_refused_until_the_first_is_revoked(
    office: Office, tmp_path: Path
) -> None:
    _, first = office.enrol("PC-01")
    with pytest.raises(EnrolProblem, match="in the fleet already"):
        enrol(office.token(), "pc-01", tmp_path / "s", never)
    office.book.revoke(first)
    second = enrol(office.token(), "pc-01", tmp_path / "s", never).host_id
    assert second != first


def test_a_host_that_is_enrolled_is_enrolled_anew_only_when_asked_to(office: Office) -> None:
    state, first = office.enrol("PC-01")
    with pytest.raises(EnrolProblem, match="--again"):
        enrol(office.token(), "PC-01", state, never)
    with (state / "agent.toml").open("a") as file:
        file.write('\n[apps.starface]\nfolder = "/srv/starface"\n')
    old_key = (state / "key.pem").read_bytes()
    office.book.revoke(first)
    second = enrol(office.token(), "PC-01", state, never, again=True).host_id
    written = tomllib.loads((state / "agent.toml").read_text())
    assert written["host"] == second
    assert written["apps"] == {"starface": {"folder": "/srv/starface"}}
    assert len(written["coordinators"]) == 1
    assert (state / "key.pem").read_bytes() != old_key


def test_a_coordinator_with_another_ca_is_not_believed(office: Office, tmp_path: Path) -> None:
    token = replace(read_token(office.token()), ca="0" * 64)
    with pytest.raises(EnrolProblem, match="another fingerprint"):
        enrol(write_token(token), "PC-01", tmp_path / "s", never)
    assert not (tmp_path / "s" / "ca.pem").exists()


def test_signed_releases_other_than_the_tokens_are_not_believed(
    office: Office, tmp_path: Path
) -> None:
    token = replace(read_token(office.token()), root="0" * 64)
    with pytest.raises(EnrolProblem, match="enrol no PC until it is clear"):
        enrol(write_token(token), "PC-01", tmp_path / "s", never)
    assert not (tmp_path / "s" / "cert.pem").exists()


def test_the_next_address_is_tried_when_one_does_not_answer(
    office: Office, tmp_path: Path
) -> None:
    token = read_token(office.token())
    token = replace(token, addresses=("127.0.0.1:1", *token.addresses))
    assert enrol(write_token(token), "PC-01", tmp_path / "s", never).coordinator == office.address


def test_a_coordinator_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"cannot reach the coordinator at 127\.0\.0\.1:1"):
        fetch_ca("127.0.0.1:1", "0" * 64)


@pytest.mark.parametrize("body", ["null", "[]", '{"secret": 1}', "{" * 5000, '"' + "x" * 70_000])
def test_a_request_that_is_none_is_refused_plainly(office: Office, body: str) -> None:
    state, _ = office.enrol()
    write_whole(state / "body", body.encode())
    with (
        office.https(state) as https,
        (state / "body").open("rb") as file,
        pytest.raises(Refused) as refused,
    ):
        https.send_file(places.ENROL, file, len(body))
    assert refused.value.status == 400
    assert refused.value.word == "bad-request"


def test_a_request_for_a_key_of_another_kind_costs_no_use(office: Office) -> None:
    secret = read_token(office.token(uses=1)).secret
    message = encode(EnrolAsk(secret, "PC-09", wrap("no request"), PROOF))
    state, _ = office.enrol("PC-01")
    with office.https(state) as https, pytest.raises(Refused, match="cannot be read"):
        https.post_json(places.ENROL, message)
    assert ask(office, secret)


def test_a_host_without_a_name_is_refused(office: Office) -> None:
    secret = read_token(office.token()).secret
    with pytest.raises(Refused, match="without a name"):
        ask(office, secret, name="  ")


def test_only_a_waiting_host_is_approved_or_refused(office: Office) -> None:
    _, host_id = office.enrol()
    with pytest.raises(EnrolmentRefused, match="waiting no longer: it is granted"):
        office.enrolment.refuse(host_id, "late")
    with pytest.raises(EnrolmentRefused, match="see roundsman fleet list"):
        office.enrolment.approve("pc-77-abcdef")


@pytest.mark.parametrize("name", ["...", "\u4e00", "x" * 100])
def test_any_name_gives_an_id_that_certificates_and_orders_can_carry(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,56}", new_host_id(name))


def test_a_state_folder_that_cannot_be_written_is_told(office: Office, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnrolProblem, match="as administrator"):
        enrol(office.token(), "PC-01", tmp_path / "file" / "state", never)


@pytest.mark.parametrize("raw", [b"", b"text", b"\xff\xfe"])
def test_a_damaged_key_is_told_and_what_to_do(office: Office, tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(raw)
    with pytest.raises(EnrolProblem, match="remove it, then enrol this PC again"):
        enrol(office.token(), "PC-01", tmp_path, never)


def test_a_certificate_for_another_key_is_not_kept(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    other = HostKey.open(tmp_path / "other.pem").request()
    certificate = office.authority.sign_csr(other, "pc-01-abcdef")
    answer = JSONResponse(encode(EnrolAnswer(Granted("pc-01-abcdef", wrap(certificate)))))
    office.extra.append(Route(places.ENROL, lambda _: answer, methods=["POST"]))
    with office.open(), pytest.raises(EnrolProblem, match="not for this PC's key"):
        enrol(office.token(), "PC-01", tmp_path / "s", never)
    assert not (tmp_path / "s" / "cert.pem").exists()


@pytest.mark.parametrize("said", [{}, [], {"granted": {"host_id": "../x"}}])
def test_an_answer_that_cannot_be_read_is_told(tmp_path: Path, said: object) -> None:
    office = Office(tmp_path / "office")
    answer = JSONResponse(said)
    office.extra.append(Route(places.ENROL, lambda _: answer, methods=["POST"]))
    with office.open(), pytest.raises(EnrolProblem, match="coordinator"):
        enrol(office.token(), "PC-01", tmp_path / "s", never)
