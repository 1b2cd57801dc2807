"""With a workstation's key, a bad one or none, nobody on the LAN gets what is not their own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.keys import HostKey
from agent.wire import places
from agent.wire.codec import encode
from agent.wire.enrolment import CollectAsk, RenewAsk, wrap
from agent.wire.https import Https
from agent.wire.https_errors import HttpsError
from agent.wire.tls import Credentials
from coordinator.api.routes import ROUTES
from coordinator.releases.packages import PackageStore
from coordinator.releases.tickets import Tickets
from coordinator.settings import HTTPS_PORT
from tests.lan.coordinators import line_of
from tests.lan.elsewhere import at
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.lan.thief import fetch, knock, pose_as_agent, stolen_from, verbs_let_in
from tests.lan.untouched import untouched
from tests.until import until
from tests.wire.pki import DAY, Leaf, TestCa

pytestmark = pytest.mark.thorough
_AREA = "Thieves"
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_FROM = "h3"
Told = Callable[[Row], None]


def _row(what: str, outcome: str) -> Row:
    return Row(_AREA, what, "another host of the LAN", "after a rollout", outcome, 0)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanOffice]:
    with untouched(tmp_path_factory.mktemp("office")) as made:
        yield made


@pytest.fixture
def stolen(office: LanOffice, tmp_path: Path) -> Credentials:
    return stolen_from(office.stations["h2"], tmp_path / "stolen")


# -- T23: certificates that nobody should accept -------------------------------------------

_H1 = "urn:roundsman:agent:{h1}"
_BAD: dict[str, tuple[Leaf, str]] = {
    "expired": (Leaf((_H1,), -90 * DAY, -DAY / 24, usage=_CLIENT), "expired"),
    "not valid yet": (Leaf((_H1,), DAY, 90 * DAY, usage=_CLIENT), "bad_certificate"),
    "for a server's use": (Leaf((_H1,), usage=_SERVER), "unsupported_certificate"),
    "CN right, SAN of another role": (
        Leaf(("urn:roundsman:coordinator:main",), common_name="{h1}", usage=_CLIENT),
        "wrong-role",
    ),
    "CN right, no SAN": (Leaf((), common_name="{h1}", usage=_CLIENT), "wrong-role"),
    "two names": (Leaf((_H1, "urn:roundsman:agent:x"), usage=_CLIENT), "wrong-role"),
    "a host that never was": (Leaf(("urn:roundsman:agent:h9-000000",), usage=_CLIENT), "revoked"),
}


def test_no_bad_certificate_is_greeted(office: LanOffice, tmp_path: Path, told: Told) -> None:
    ip, own = office.box.seat.ip, TestCa(tmp_path / "own")
    ca = TestCa.stolen(tmp_path / "forged", office.folder / "coordinator" / "ca")
    said = {}
    for name, (leaf, _) in _BAD.items():
        said[name] = at(_FROM, partial(knock, ip, ca.issue(_named(leaf, office))))
    assert {name: word for name, (_, word) in _BAD.items() if word not in said[name]} == {}, said
    assert "unknown_ca" in at(_FROM, lambda: knock(ip, own.agent(office.ids["h1"])))
    assert "certificate_required" in at(_FROM, lambda: knock(ip, None))
    told(_row(f"{len(_BAD) + 2} bad certificates shown to the coordinator", "none is greeted"))


def _named(leaf: Leaf, office: LanOffice) -> Leaf:
    names = tuple(name.format(**office.ids) for name in leaf.names)
    return replace(leaf, names=names, common_name=leaf.common_name.format(**office.ids))


# -- T24: a certificate stolen from h2, used on h3 ------------------------------------------


def test_beside_its_owner_a_stolen_certificate_hears_no_order(
    office: LanOffice, stolen: Credentials, told: Told
) -> None:
    fake, line = pose_as_agent(_FROM, office.box.seat.ip, stolen)
    try:
        until(lambda: line.standings()[0].refusal == "clone", 30, "it is refused as a clone")
    finally:
        line.stop()
    assert [method for method, _ in fake.asked] == ["hello"]
    assert line_of(office.stations["h2"]) == "linked"
    (problem,) = office.cli("health")["problems"]
    assert problem.startswith(f"h2: another machine at {office.box.hosts[_FROM].ip} shows its")
    told(_row("a stolen certificate links beside its owner", "refused, and an alarm; no order"))


def test_with_a_stolen_certificate_no_verb_of_an_operator_is_had(
    office: LanOffice, stolen: Credentials, told: Told
) -> None:
    ip, ticket = office.box.seat.ip, _tickets(office).make(office.ids["h2"], "0" * 64)
    for bearer in ("", ticket, "rmo_" + "x" * 43, office.ids["h2"]):
        assert at(_FROM, partial(verbs_let_in, ip, stolen, bearer)) == []
    told(_row(f"{len(ROUTES)} verbs of an operator, four disguises", "0 succeed"))


def test_a_stolen_certificate_fetches_nothing_that_is_not_its_own(
    office: LanOffice, told: Told
) -> None:
    (file,) = PackageStore(office.folder / "coordinator" / "packages").files()
    sha256, (h1, h2) = file.name, (office.ids["h1"], office.ids["h2"])
    tickets, other = _tickets(office), Tickets(b"the thief's own")
    shown: list[dict[str, str]] = [
        {},
        {places.HOST_HEADER: h2},
        _ticket(h2, tickets.make(h1, sha256)),
        _ticket(h1, tickets.make(h2, sha256)),
        _ticket(h2, tickets.make(h2, "0" * 64)),
        _ticket(h2, tickets.make(h2, sha256, -1.0)),
        _ticket(h2, other.make(h2, sha256)),
    ]
    ip = office.box.seat.ip
    for headers in shown:
        for place in (places.PACKAGES, places.PARTS):
            assert at(_FROM, partial(fetch, ip, place + sha256, headers)) == "bad-ticket"
    own = _ticket(h2, tickets.make(h2, sha256))
    assert at(_FROM, lambda: fetch(ip, places.PACKAGES + sha256, own)) == ""
    assert at(_FROM, lambda: fetch(ip, places.METADATA + "timestamp.json", {})) == ""
    told(_row("packages without a ticket, and by six bad ones", "0 come; signed lists do"))


def _ticket(host: str, ticket: str) -> dict[str, str]:
    return {places.HOST_HEADER: host, places.TICKET_HEADER: ticket}


def _tickets(office: LanOffice) -> Tickets:
    return Tickets.open(office.folder / "coordinator" / "tickets.key")


def test_a_stolen_certificate_is_renewed_for_nobody_else(
    office: LanOffice, stolen: Credentials, told: Told
) -> None:
    key = HostKey.open(stolen.key)
    csr = key.request()
    mine, theirs = (s.read_text("ascii") for s in (stolen.certificate, _certificate(office, "h1")))
    signature = key.sign(csr.encode())
    granted = _post(office, places.RENEW, RenewAsk(wrap(mine), wrap(csr), signature))
    assert office.ids["h2"] in granted
    assert "not signed with" in _post(
        office, places.RENEW, RenewAsk(wrap(theirs), wrap(csr), signature)
    )
    guess = CollectAsk(office.ids["h1"], "x" * 43)
    assert "no such request" in _post(office, places.COLLECT, guess)
    told(_row("renewal and enrolment of another host", "refused"))


def _certificate(office: LanOffice, name: str) -> Path:
    return office.stations[name].state / "cert.pem"


def _post(office: LanOffice, place: str, ask: object) -> str:
    """Return what is answered, as text: the answer, or the refusal's words."""

    def post() -> str:
        ca = office.stations["h2"].state / "ca.pem"
        with Https(f"{office.box.seat.ip}:{HTTPS_PORT}", ca) as https:
            try:
                return str(https.post_json(place, encode(ask)))
            except HttpsError as error:
                return str(error)

    return at(_FROM, post)
