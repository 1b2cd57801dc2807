"""Who poses as the coordinator or as a new workstation on the LAN moves nothing."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.enrol import EnrolProblem, enrol
from agent.wire.codec import decode
from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Direction,
    Fence,
    Refusal,
    StartOrder,
    StepParams,
    StepState,
    Target,
    UncordonOrder,
)
from agent.wire.enrolment import read_token, write_token
from agent.wire.https import Https
from agent.wire.https_errors import WrongServer
from agent.wire.tls import Credentials
from coordinator.fleet.hub import Hub
from tests.faults.ledger import cordon_of, read_rows
from tests.lan.app import Workstation
from tests.lan.coordinators import line_of
from tests.lan.elsewhere import at
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.lan.thief import impostor, knock, stolen_from
from tests.lan.untouched import untouched
from tests.until import until

pytestmark = pytest.mark.thorough
_AREA = "Thieves"
_CALL_SECONDS = 5.0
_TIMES = 20
_EXPIRE = """UPDATE enrol_token SET expires = 1, data = json_set(data, '$.expires', 1)
WHERE hash = ?"""
Told = Callable[[Row], None]


def _row(what: str, outcome: str) -> Row:
    return Row(_AREA, what, "another host of the LAN", "after a rollout", outcome, 0)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanOffice]:
    with untouched(tmp_path_factory.mktemp("office")) as made:
        yield made


# -- at the coordinator's address ----------------------------------------------------------


def test_with_a_stolen_certificate_nobody_is_the_coordinator(
    office: LanOffice, tmp_path: Path, told: Told
) -> None:
    stolen = stolen_from(office.stations["h2"], tmp_path / "stolen")
    with impostor(office.box, stolen, "evil") as hub:
        for station in office.stations.values():
            until(partial(_is_line, station, "refused"), 90, f"{station.name} has refused it")
        assert hub.standings() == {}
        for name in office.stations:
            with pytest.raises(WrongServer):
                at(name, partial(_fetch_over_https, office))
    office.wait_linked(*office.stations)
    told(_row("a stolen certificate shown at the coordinator's address", "no agent says a word"))


def _is_line(station: Workstation, state: str) -> bool:
    return line_of(station) == state


def _fetch_over_https(office: LanOffice) -> bytes:
    ca = office.stations["h2"].state / "ca.pem"
    with Https(f"{office.box.seat.ip}:7701", ca) as https:
        return https.get_bytes("/ca.pem", 100_000)


# -- T29: old orders, said again ------------------------------------------------------------


def test_old_orders_said_again_move_nothing(office: LanOffice, told: Told) -> None:
    ca = office.folder / "coordinator" / "ca"
    keys = Credentials(ca / "coordinator-key.pem", ca / "coordinator.pem", ca / "ca.pem")
    with impostor(office.box, keys, "again") as hub:
        until(lambda: hub.linked() == set(office.ids.values()), 90, "all agents believe it")
        said = [_say_again(hub, office, name) for name in office.stations]
    office.wait_linked(*office.stations)
    told(_row(f"{sum(said)} orders of the rollout said again", "each is answered, none is done"))


def _say_again(hub: Hub, office: LanOffice, name: str) -> int:
    """Repeat every order that a host has had, in its own epoch and an older one."""
    host, state = office.ids[name], office.stations[name].state
    orders, said = list(_steps(state)), 0
    for order in orders * _TIMES:
        report = hub.call(host, "start", order, _CALL_SECONDS)
        assert report.state is not StepState.RUNNING, order
        said += 1
    for order in orders:
        old = replace(order, fence=Fence(order.fence.epoch - 1, order.fence.instance))
        assert hub.call(host, "start", old, _CALL_SECONDS).refusal is Refusal.STALE_EPOCH
        said += 1
    return said + _close_again(hub, host, state)


def _steps(state: Path) -> Iterator[StartOrder]:
    (met,) = read_rows(state / "journal.sqlite", "SELECT * FROM fence")
    fence = Fence(met["epoch"], met["instance"])
    for row in read_rows(state / "journal.sqlite", "SELECT * FROM step ORDER BY began"):
        record = json.loads(row["record"])
        params = decode(StepParams, record["params"])
        attempt = max(record["report"]["attempt"], 1)
        direction = Direction(row["direction"])
        yield StartOrder(row["step_id"], direction, attempt, fence, 60.0, params)


def _close_again(hub: Hub, host: str, state: Path) -> int:
    """Repeat the orders to close and to open; return how many."""
    known = cordon_of(state)
    assert known is not None
    order = CordonOrder(
        known["rollout"],
        Target(**known["profile"]),
        CordonMode.SEALED,
        Fence(**known["fence"]),
        code_hash=known["code_hash"],
        code_salt=known["code_salt"],
    )
    opening = UncordonOrder(known["rollout"], order.fence)
    for _ in range(_TIMES):
        assert hub.call(host, "cordon", order, _CALL_SECONDS).mode is CordonMode.NONE
        assert hub.call(host, "uncordon", opening, _CALL_SECONDS).mode is CordonMode.NONE
    return 2 * _TIMES


# -- T25: tokens ----------------------------------------------------------------------------


def test_a_token_lets_in_one_host_for_a_day_and_is_not_guessed(
    office: LanOffice, tmp_path: Path, told: Told
) -> None:
    token = _token(office)
    assert _enrol("h3", token, "pc-x", tmp_path / "x") == ""
    assert "used as often as it may be" in _enrol("h3", token, "pc-y", tmp_path / "y")
    assert "a host named h1 is in the fleet" in _enrol("h3", _token(office), "h1", tmp_path / "z")
    assert "has expired" in _enrol("h3", _expired(office), "pc-y", tmp_path / "e")
    guess = write_token(replace(read_token(token), secret="x" * 32))
    for _ in range(5):
        assert "not known here" in _enrol("h1", guess, "pc-y", tmp_path / "g")
    fresh = _token(office)
    assert "too many wrong tries" in _enrol("h1", fresh, "pc-y", tmp_path / "g")
    assert _enrol("h2", fresh, "pc-z", tmp_path / "g2") == ""
    told(_row("a token used again, expired, guessed, for a name that is taken", "refused"))
    _revoke(office, tmp_path / "x")
    told(_row("the certificate of a host that was revoked", "refused"))


def _revoke(office: LanOffice, folder: Path) -> None:
    shown = Credentials(folder / "key.pem", folder / "cert.pem", folder / "ca.pem")
    assert at("h3", lambda: knock(office.box.seat.ip, shown)) == ""
    for name in ("pc-x", "pc-z"):
        office.cli("fleet", "revoke", name, "--yes")
    assert at("h3", lambda: knock(office.box.seat.ip, shown)) == "revoked"


def _token(office: LanOffice) -> str:
    return str(office.cli("fleet", "token", "--group", "other", "--automatic")["token"])


def _expired(office: LanOffice) -> str:
    token, file = _token(office), office.folder / "coordinator" / "roundsman.sqlite"
    digest = hashlib.sha256(read_token(token).secret.encode()).hexdigest()
    with closing(sqlite3.connect(file, timeout=20)) as database, database:
        done = database.execute(_EXPIRE, [digest])
        assert done.rowcount == 1
    return token


def _enrol(place: str, token: str, name: str, folder: Path) -> str:
    """Enrol as a host of that name would, from another's place; return why not, "" when let in."""
    try:
        at(place, lambda: enrol(token, name, folder, lambda _seconds: False))
    except EnrolProblem as error:
        return str(error)
    return ""
