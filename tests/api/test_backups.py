"""Backups over the API: who may ask, what is refused, what becomes of the cordon."""

import json
from collections.abc import Iterator

import pytest

from agent.wire.contract import (
    CordonMode,
    Direction,
    Finding,
    Refusal,
    Severity,
    StepReport,
    StepState,
)
from coordinator.api.asks import BackupAsk, ProfileAsk, RestoreAsk
from coordinator.api.backup_schemas import ErrandView
from coordinator.api.client import Client
from coordinator.api.roles import OperatorRole
from coordinator.complaint import Complaint
from coordinator.fleet.standing import Standing
from coordinator.model import SurveyOf
from coordinator.walk.ports import News, Verdict
from coordinator.walk.states import RolloutState
from tests.api.real import APP, PROFILE, RealOffice
from tests.plans import make_plan
from tests.until import until

HOST = "pc-01-abcdef"
OLDER = "01JC0000000000000000000000"
NEWER = "01JD0000000000000000000000"


def _about(version: str, **more: object) -> str:
    return json.dumps(
        {
            "app": APP, "version": version, "made": 1.7e9, "complete": True, "files": 3,
            "bytes": 70, "encrypted": False,
        }
        | more
    )  # fmt: skip


@pytest.fixture
def client(office: RealOffice) -> Iterator[Client]:
    """An operator's line; PC-01 is linked and has two backups, its group has 1.0."""
    office.add_hosts()
    office.links.known[HOST] = Standing(HOST, linked=True)
    office.agents.facts["list-backups"] = {OLDER: _about("0.9"), NEWER: _about("1.0")}
    with office.client() as admin:
        admin.add_profile(ProfileAsk(text=PROFILE))
        office.sign()
    with office.client(OperatorRole.OPERATOR) as line:
        yield line


def _ended(client: Client, begun: ErrandView) -> ErrandView:
    until(lambda: client.errand(begun.id).verdict is not None, 10, "the errand ends")
    return client.errand(begun.id)


def _restored(client: Client, **asked: object) -> ErrandView:
    return _ended(client, client.restore_backup("PC-01", RestoreAsk.model_validate(asked)))


def _taken(office: RealOffice) -> list[tuple[str, str]]:
    return [(step, way) for _, step, way in office.agents.taken if step != "list-backups"]


_CLOSED = [("drain", "do"), ("stop-service-manager", "do")]
_RESTORED = [*_CLOSED, ("restore-backup", "do")]
_LET_IN = [("stop-service-manager", "tidy"), ("drain", "tidy")]
_OPENED = [*_RESTORED, *_LET_IN]


def test_backups_are_listed_as_the_host_says(client: Client) -> None:
    listed = client.backups("pc-01", BackupAsk())

    assert [(b.name, b.version, b.complete, b.rollout) for b in listed] == [
        (OLDER, "0.9", True, ""),
        (NEWER, "1.0", True, ""),
    ]


def test_viewers_may_not_ask_for_backups_and_restores_are_audited(
    office: RealOffice, client: Client
) -> None:
    with office.client(OperatorRole.VIEWER) as viewer, pytest.raises(Complaint, match="viewer"):
        viewer.backups("PC-01", BackupAsk())
    _restored(client, backup=NEWER)
    with office.client() as admin:
        (line,) = [a for a in admin.audit(20) if a.what == "backup restore"]
    assert "PC-01" in line.detail
    assert NEWER in line.detail


@pytest.mark.parametrize("what", ["verify-backup", "rehearse-restore"])
def test_a_backup_is_looked_at_and_the_host_is_not_closed_for_that(
    office: RealOffice, client: Client, what: str
) -> None:
    office.agents.facts[what] = {"files": "3", "bytes": "70"}
    office.agents.findings[what] = (Finding("backup-damaged", Severity.BLOCKS, "bin/app"),)
    begin = client.verify_backup if what == "verify-backup" else client.rehearse_restore

    done = _ended(client, begin("PC-01", BackupAsk(backup=NEWER)))

    assert done.verdict is Verdict.DONE
    assert done.facts == {"files": "3", "bytes": "70"}
    assert [f.message for f in done.findings] == ["bin/app"]
    assert done.needs_a_person
    assert _taken(office) == [(what, "do")]
    assert office.agents.cordons == []


def test_a_restore_closes_the_host_restores_and_opens_it_again(
    office: RealOffice, client: Client
) -> None:
    done = _restored(client)

    assert (done.verdict, done.stays_closed, done.needs_a_person) == (Verdict.DONE, False, False)
    assert _taken(office) == _OPENED
    modes = [(mode, cause) for _, mode, cause in office.agents.cordons]
    assert modes == [("leased", done.id), ("none", done.id)]
    assert office.cordons.all() == {}


def test_its_progress_is_told_and_nothing_else_begins_there_meanwhile(
    office: RealOffice, client: Client
) -> None:
    office.agents.hold.clear()
    begun = client.restore_backup("PC-01", RestoreAsk())
    until(lambda: client.errand(begun.id).bytes_done == 40, 10, "it is told")
    seen = client.errand(begun.id)
    assert (seen.step, seen.bytes_total, seen.verdict) == ("restore-backup", 100, None)
    with pytest.raises(Complaint, match="is being verified or restored"):
        client.verify_backup("PC-01", BackupAsk())
    with pytest.raises(Complaint, match="is being verified or restored"):
        client.restore_backup("PC-01", RestoreAsk())
    office.rollouts.add_plan(make_plan())
    with pytest.raises(Complaint, match=r"a backup is being restored on PC-01"):
        client.start("p1")
    office.agents.hold.set()
    assert _ended(client, begun).verdict is Verdict.DONE


def test_a_host_in_a_rollout_under_way_is_not_restored(office: RealOffice, client: Client) -> None:
    office.rollouts.add_plan(make_plan())
    rollout = office.start("p1")

    with pytest.raises(Complaint, match="it is in rollout r1, which is under way"):
        client.restore_backup("PC-01", RestoreAsk())
    assert _taken(office) == []

    office.tell(rollout, News(RolloutState.DONE))
    assert _restored(client).verdict is Verdict.DONE


def test_another_version_than_the_groups_is_refused_with_what_may_be_done(
    office: RealOffice, client: Client
) -> None:
    with pytest.raises(Complaint, match=r"mixed versions: PC-02 has 1\.0, PC-03 has 1\.0") as no:
        client.restore_backup("PC-01", RestoreAsk(backup=OLDER))
    assert "--leave-closed" in no.value.mend
    office.surveyor.said["pc-02-abcdef"] = SurveyOf({}, problem="silent")
    with pytest.raises(Complaint, match="PC-02 has one that is not known"):
        client.restore_backup("PC-01", RestoreAsk())
    assert _taken(office) == []


def _known_rollout(office: RealOffice) -> str:
    """Have a rollout that ended, and the older backup made by it."""
    office.rollouts.add_plan(make_plan())
    rollout = office.start("p1")
    office.tell(rollout, News(RolloutState.DONE))
    office.agents.facts["list-backups"] = {rollout: _about("0.9")}
    return rollout


def test_a_host_left_closed_is_sealed_under_the_rollout_of_its_backup(
    office: RealOffice, client: Client
) -> None:
    rollout = _known_rollout(office)

    done = _restored(client, leave_closed=True)

    assert (done.verdict, done.stays_closed, done.needs_a_person) == (Verdict.DONE, True, False)
    assert "roundsman plan" in done.mend
    assert _taken(office) == _RESTORED
    row = office.cordons.all()[HOST]
    assert (row.rollout, row.mode) == (rollout, CordonMode.SEALED)
    assert [m for _, m, _ in office.agents.cordons] == ["leased", "sealed"]
    assert [c.host for c in client.codes("r1")] == ["PC-01"]


def test_it_is_not_sealed_for_a_restore_that_the_host_refuses(
    office: RealOffice, client: Client
) -> None:
    _known_rollout(office)
    office.agents.reports["restore-backup"] = StepReport(
        "", Direction.DO, StepState.REFUSED, 1, refusal=Refusal.BACKUP_DAMAGED, detail="damaged"
    )

    done = _restored(client, leave_closed=True)

    assert (done.verdict, done.detail, done.stays_closed) == (Verdict.REFUSED, "damaged", False)
    assert _taken(office) == _OPENED
    assert office.cordons.all() == {}


def test_a_host_cannot_be_left_closed_under_a_rollout_nobody_knows(client: Client) -> None:
    with pytest.raises(Complaint, match="does not know the rollout that made the backup"):
        client.restore_backup("PC-01", RestoreAsk(backup=OLDER, leave_closed=True))


def test_a_host_that_an_earlier_rollout_has_sealed_stays_so(
    office: RealOffice, client: Client
) -> None:
    rollout = _known_rollout(office)
    office.keeper.confirm([HOST], rollout, CordonMode.SEALED)
    office.agents.cordons.clear()

    done = _restored(client)

    assert (done.verdict, done.stays_closed) == (Verdict.DONE, True)
    assert _taken(office) == _RESTORED
    assert office.agents.cordons == []
    assert office.cordons.all()[HOST].mode is CordonMode.SEALED


def test_a_host_closed_for_a_rollout_not_known_here_stays_so(
    office: RealOffice, client: Client
) -> None:
    office.orphans.add(HOST)
    done = _restored(client)
    assert (done.verdict, done.stays_closed) == (Verdict.DONE, True)
    assert office.agents.cordons == []


def test_what_cannot_be_closed_is_not_restored_and_is_opened_again(
    office: RealOffice, client: Client
) -> None:
    office.agents.reports["drain"] = StepReport(
        "", Direction.DO, StepState.REFUSED, 1, refusal=Refusal.APP_STILL_OPEN, detail="open"
    )

    done = _restored(client)

    assert (done.verdict, done.detail, done.stays_closed) == (Verdict.REFUSED, "open", False)
    assert _taken(office) == [("drain", "do"), *_LET_IN]
    assert office.cordons.all() == {}


def test_a_host_on_which_the_app_is_no_more_is_restored_all_the_same(
    office: RealOffice, client: Client
) -> None:
    for step in ("drain", "stop-service-manager"):
        office.agents.reports[step] = StepReport(
            "", Direction.DO, StepState.REFUSED, 1, refusal=Refusal.APP_ABSENT, detail="no app"
        )

    done = _restored(client)

    assert (done.verdict, done.stays_closed) == (Verdict.DONE, False)
    assert _taken(office) == _OPENED


@pytest.mark.parametrize(
    ("facts", "asked", "why"),
    [
        ({}, {}, "no complete backup on PC-01"),
        ({NEWER: _about("1.0", complete=False)}, {}, "no complete backup on PC-01"),
        ({NEWER: json.dumps({"damaged": True})}, {}, "no complete backup on PC-01"),
        ({NEWER: _about("1.0", complete=False)}, {"backup": NEWER}, "was never completed"),
        ({NEWER: json.dumps({"damaged": True})}, {"backup": NEWER}, "is damaged"),
        ({NEWER: _about("1.0")}, {"backup": OLDER}, f"no backup {OLDER} on PC-01"),
        ({NEWER: _about("1.0")}, {"backup": "nonsense"}, "must be the name of a backup"),
        ({NEWER: _about("1.0")}, {"app": "elsewhere"}, "no profile for an app 'elsewhere'"),
    ],
)
def test_what_is_not_there_or_not_whole_is_not_restored(
    office: RealOffice, client: Client, facts: dict[str, str], asked: dict[str, str], why: str
) -> None:
    office.agents.facts["list-backups"] = facts
    with pytest.raises(Complaint, match=why):
        client.restore_backup("PC-01", RestoreAsk.model_construct(**asked))  # type: ignore[arg-type]
    assert _taken(office) == []


def test_a_host_that_is_not_linked_or_not_known_is_not_asked(
    office: RealOffice, client: Client
) -> None:
    with pytest.raises(Complaint, match="cannot ask PC-02 for its backups: it is not linked"):
        client.backups("PC-02", BackupAsk())
    with pytest.raises(Complaint, match="no host 'PC-99'"):
        client.backups("PC-99", BackupAsk())


def test_an_errand_of_an_earlier_daemon_is_not_known_and_says_what_to_look_at(
    client: Client,
) -> None:
    with pytest.raises(Complaint, match="started anew meanwhile") as no:
        client.errand(NEWER)
    assert "roundsman doctor" in no.value.mend


def test_leases_of_errands_that_a_daemon_left_behind_are_lifted(
    office: RealOffice, client: Client
) -> None:
    rollout = _known_rollout(office)
    office.keeper.confirm(["pc-02-abcdef"], rollout, CordonMode.LEASED)
    office.cordons.want([HOST], OLDER, CordonMode.LEASED)

    office.new_keeper().lift_strays()

    modes = {host: row.mode for host, row in office.cordons.all().items()}
    assert modes == {HOST: CordonMode.NONE, "pc-02-abcdef": CordonMode.LEASED}
