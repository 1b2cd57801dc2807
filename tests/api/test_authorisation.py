"""Who may do what: every row of the table, without a token, with a lower one, with an old one."""

import pytest

from agent.wire.https import Https
from agent.wire.https_errors import Refused
from coordinator.access import Access
from coordinator.api.asks import PREFIX, OperatorAsk
from coordinator.api.client import Client
from coordinator.api.roles import OperatorRole
from coordinator.api.routes import ROUTES, Body, Row
from coordinator.complaint import Complaint
from tests.api.real import RealOffice

EACH_ROW = pytest.mark.parametrize("row", ROUTES, ids=[f"{r.method} {r.path}" for r in ROUTES])
LOWER = {OperatorRole.OPERATOR: OperatorRole.VIEWER, OperatorRole.ADMIN: OperatorRole.OPERATOR}


def _status(row: Row, access: Access, token: str | None) -> int:
    """Return with which status the row is refused; 0 when it is not."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = PREFIX + row.path.replace("{name:path}", "x")
    for name in ("host", "name", "plan", "rollout"):
        path = path.replace(f"{{{name}}}", "nobody")
    with Https(access.address, access.ca, headers, seconds=20) as https:
        try:
            if row.method == "GET":
                https.get_json(path)
            else:
                https.post_json(path, {})
        except Refused as refused:
            return refused.status
    return 0


@EACH_ROW
def test_nobody_without_a_token_is_answered(shared: RealOffice, row: Row) -> None:
    access = shared.access()
    assert _status(row, access, None) == 401
    assert _status(row, access, "") == 401
    assert _status(row, access, access.token[:-1]) == 401


@pytest.mark.parametrize("row", [r for r in ROUTES if r.role in LOWER], ids=lambda r: r.path)
def test_a_lower_role_is_told_which_one_it_takes(shared: RealOffice, row: Row) -> None:
    access = shared.access(LOWER[row.role])
    assert _status(row, access, access.token) == 403
    assert shared.people.trail(1)[0].detail == f"not allowed: {LOWER[row.role]}"


@EACH_ROW
def test_a_revoked_token_is_refused_at_once(shared: RealOffice, row: Row) -> None:
    access = shared.access(OperatorRole.ADMIN)
    assert _status(row, access, access.token) != 401
    shared.people.drop_operator("some admin")
    assert _status(row, access, access.token) == 401


def test_the_role_itself_suffices(shared: RealOffice) -> None:
    for row in ROUTES:
        access = shared.access(row.role)
        assert _status(row, access, access.token) not in {401, 403}, row.path


def test_a_new_token_ends_the_old_one(office: RealOffice) -> None:
    with office.client() as client:
        first = client.add_operator(OperatorAsk(name="marie", role=OperatorRole.VIEWER))
        second = client.add_operator(OperatorAsk(name="marie", role=OperatorRole.VIEWER))
    own = office.access()
    with (
        Client(Access(own.address, own.ca, first.token), 20) as old,
        pytest.raises(Complaint, match="does not know this token"),
    ):
        old.health()
    with Client(Access(own.address, own.ca, second.token), 20) as new:
        assert new.health().you.name == "marie"


def test_only_a_token_s_hash_is_stored(office: RealOffice) -> None:
    with office.client() as client:
        made = client.add_operator(OperatorAsk(name="marie", role=OperatorRole.VIEWER))
    office.database.dispose()
    files = [f for f in office.settings.home.rglob("*") if f.is_file()]
    assert not [f for f in files if made.token.encode() in f.read_bytes()]


def test_the_last_admin_cannot_be_revoked(office: RealOffice) -> None:
    with office.client() as client, pytest.raises(Complaint, match="nobody would be left"):
        client.revoke_operator("ann")


def test_uploads_are_refused_before_a_byte_is_read(office: RealOffice) -> None:
    row = next(r for r in ROUTES if r.body is Body.FILE)
    assert _status(row, office.access(), "no token") == 401
    assert not (office.settings.home / "uploads").exists()
