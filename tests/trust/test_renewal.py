from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.enrol import EnrolProblem, renew_if_due
from agent.keys import HostKey
from agent.wire import places
from agent.wire.codec import encode
from agent.wire.enrolment import RenewAsk, wrap
from agent.wire.https_errors import Refused
from coordinator.fleet.ca import Authority
from tests.trust.office import Clock, Office

DAY = 86400


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path / "office").open() as office:
        yield office


def test_a_certificate_is_renewed_in_its_last_month_and_not_before(office: Office) -> None:
    state, host_id = office.enrol()
    before = (state / "cert.pem").read_text()
    with office.https(state) as https:
        assert not renew_if_due(state, https, Clock(59 * DAY))
        assert renew_if_due(state, https, Clock(61 * DAY))
    after = (state / "cert.pem").read_text()
    assert after != before
    assert HostKey.open(state / "key.pem").fits(after)
    assert office.book.serials[host_id]


def test_a_revoked_host_is_not_renewed(office: Office) -> None:
    state, host_id = office.enrol()
    office.book.revoke(host_id)
    with office.https(state) as https, pytest.raises(EnrolProblem, match="not in the fleet"):
        renew_if_due(state, https, Clock(61 * DAY))


def test_an_expired_certificate_is_not_renewed(office: Office) -> None:
    state, _ = office.enrol()
    office.clock.ahead = 91 * DAY
    with office.https(state) as https, pytest.raises(EnrolProblem, match="enrol this host again"):
        renew_if_due(state, https, office.clock)


def test_a_renewal_signed_with_another_key_is_refused(office: Office, tmp_path: Path) -> None:
    state, _ = office.enrol()
    thief = HostKey.open(tmp_path / "thief.pem")
    csr = thief.request()
    stolen = (state / "cert.pem").read_text()
    message = encode(RenewAsk(wrap(stolen), wrap(csr), thief.sign(csr.encode())))
    with office.https(state) as https, pytest.raises(Refused, match="not signed with"):
        https.post_json(places.RENEW, message)


def test_a_renewal_by_a_certificate_of_another_ca_is_refused(
    office: Office, tmp_path: Path
) -> None:
    state, host_id = office.enrol()
    key = HostKey.open(tmp_path / "key.pem")
    csr = key.request()
    forged = Authority.open(tmp_path / "rogue").sign_csr(csr, host_id)
    message = encode(RenewAsk(wrap(forged), wrap(csr), key.sign(csr.encode())))
    with office.https(state) as https, pytest.raises(Refused, match="another CA"):
        https.post_json(places.RENEW, message)


def test_the_coordinators_own_certificate_renews_no_agent(office: Office, tmp_path: Path) -> None:
    state, _ = office.enrol()
    pair = office.authority.issue_coordinator(office.data / "coordinator")
    key = HostKey.open(pair.key)
    csr = key.request()
    own = wrap(pair.certificate.read_text())
    message = encode(RenewAsk(own, wrap(csr), key.sign(csr.encode())))
    with office.https(state) as https, pytest.raises(Refused, match="not an agent's"):
        https.post_json(places.RENEW, message)


def test_a_damaged_certificate_is_told_at_renewal(office: Office) -> None:
    state, _ = office.enrol()
    (state / "cert.pem").write_text("damaged")
    with office.https(state) as https, pytest.raises(EnrolProblem, match="enrol this PC again"):
        renew_if_due(state, https)
