"""A release that was found to be bad: off offer at once, whatever it was meant for."""

from pathlib import Path

import pytest

from agent.wire.contract import Direction, StepName
from coordinator.api.asks import (
    CommandAsk,
    DoctorAsk,
    DrillAsk,
    PackageAsk,
    PlanAsk,
    StageAsk,
    WithdrawAsk,
)
from coordinator.api.roles import OperatorRole
from coordinator.complaint import Blocked, Complaint
from coordinator.model import Plan, StagingState
from coordinator.releases.gate import LicenceGate
from coordinator.releases.keys import SIGNING_KEY
from coordinator.signing import sign_list
from coordinator.walk.ports import Verb
from coordinator.walk.states import RolloutState
from tests.api.real import APP, PASSPHRASE, RealOffice, made_ready, make_zip

BAD = WithdrawAsk(why="loses invoices")
PLAN = PlanAsk(app=APP, version="1.1", within_seconds=7200)


@pytest.fixture
def office(office: RealOffice, tmp_path: Path) -> RealOffice:
    return made_ready(office, tmp_path)


def _gate(office: RealOffice) -> LicenceGate:
    made = office.office()
    return LicenceGate(made.repository, made.licences, made.rollouts, made.fleet, made.clock)


def _plan(office: RealOffice) -> Plan:
    with office.client() as client:
        made = office.rollouts.plan(client.make_plan(PLAN).label)
    assert made is not None
    return made


def test_it_is_on_offer_no_more_at_once_and_off_the_list_once_that_is_signed(
    office: RealOffice,
) -> None:
    with office.client() as client:
        said = client.withdraw(APP, "1.1", BAD)
        assert said.to_sign
        assert not said.needs_a_person
        (package,) = client.packages(APP)
        assert (package.signed, package.withdrawn) == (True, "by ann: loses invoices")
        assert [t.name for t in client.unsigned().withdrawn] == said.targets
        office.sign()
        assert [p.signed for p in client.packages(APP)] == [False]
        assert client.unsigned().withdrawn == []
    assert not any(t.name.startswith("packages/") for t in office.repository.published())


def test_nobody_plans_stages_or_judges_with_it(office: RealOffice) -> None:
    said = f"{APP} 1.1 was withdrawn by ann: loses invoices"
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        for _ in range(2):  # before the list is signed, and after it
            with pytest.raises(Complaint, match=said):
                client.make_plan(PLAN)
            with pytest.raises(Complaint, match=said):
                client.stage(StageAsk(app=APP, version="1.1"))
            with pytest.raises(Complaint, match=said):
                client.doctor(DoctorAsk(app=APP, version="1.1"))
            office.sign()


def test_a_plan_that_was_made_before_cannot_be_started(office: RealOffice) -> None:
    with office.client() as client:
        plan = client.make_plan(PLAN)
        client.withdraw(APP, "1.1", BAD)
        with pytest.raises(Blocked, match=r"1\.1 was withdrawn by ann: loses invoices") as told:
            client.start(plan.label)
    assert told.value.mend == f"roundsman plan {APP} VERSION, with another version"


def test_a_drill_of_it_may_begin_since_it_applies_nothing(office: RealOffice) -> None:
    with office.client() as client:
        plan = client.make_plan(PLAN)
        client.withdraw(APP, "1.1", BAD)
        assert client.drill(DrillAsk(plan=plan.label, within_seconds=3600)).drill


def test_a_staging_of_it_is_stopped_and_no_other(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client:
        client.add_package(
            PackageAsk(app=APP, version="1.2"), make_zip(tmp_path / "n.zip", a=b"2")
        )
        office.sign()
        bad = client.stage(StageAsk(app=APP, version="1.1", hosts=["PC-01"]))
        good = client.stage(StageAsk(app=APP, version="1.2", hosts=["PC-02"]))
        assert client.withdraw(APP, "1.1", BAD).stagings == (bad.label,)
        assert client.staging(bad.label).state is StagingState.STOPPED
        assert client.staging(good.label).state is StagingState.UNDER_WAY


def test_a_rollout_of_it_is_told_and_a_person_is_needed(office: RealOffice) -> None:
    with office.client() as client:
        rollout = office.start(client.make_plan(PLAN).label)
        said = client.withdraw(APP, "1.1", BAD)
    (told,) = said.rollouts
    assert (told.label, said.needs_a_person) == ("r1", True)
    assert told.mend == "roundsman rollout abort r1 --roll-back-all"
    (word,) = office.engine.said
    assert (word.verb, word.by) == (Verb.WITHDRAW, "ann: loses invoices")
    assert office.rollouts.next_command(rollout, 0) is not None


@pytest.mark.parametrize("state", [RolloutState.ROLLING_BACK, RolloutState.RE_OPENING])
def test_a_rollout_that_ends_already_is_not_held_up(
    office: RealOffice, state: RolloutState
) -> None:
    with office.client() as client:
        office.start(client.make_plan(PLAN).label, state)
        (told,) = client.withdraw(APP, "1.1", BAD).rollouts
    assert "already" in told.outcome
    assert not office.engine.said


def test_a_rollout_of_another_release_hears_nothing(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client:
        client.add_package(
            PackageAsk(app=APP, version="1.2"), make_zip(tmp_path / "n.zip", a=b"2")
        )
        office.sign()
        office.start(client.make_plan(PLAN).label)
        assert client.withdraw(APP, "1.2", BAD).rollouts == ()
    assert not office.engine.said


@pytest.mark.parametrize(
    ("step", "is_refused"),
    [
        (StepName.STAGE, True),
        (StepName.DRAIN, True),
        (StepName.BACK_UP, True),
        (StepName.APPLY_RELEASE, True),
        (StepName.SURVEY, False),
        (StepName.CHECK_HEALTH, False),
        (StepName.START_SERVICE_MANAGER, False),
        (StepName.REOPEN, False),
    ],
)
def test_no_step_brings_a_host_nearer_to_it_and_what_is_begun_can_end(
    office: RealOffice, step: StepName, is_refused: bool
) -> None:
    plan, gate = _plan(office), _gate(office)
    assert gate.refusal(plan, step) == ""
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
    said = gate.refusal(plan, step)
    assert said == (f"cannot go on with {APP} 1.1: it was withdrawn" if is_refused else "")


def test_what_was_opened_meanwhile_is_closed_again_so_that_a_group_can_go_back(
    office: RealOffice,
) -> None:
    plan, gate = _plan(office), _gate(office)
    office.engine.submit(plan, "ann")
    step = f"{plan.id}/{plan.hosts[0].id}/{StepName.APPLY_RELEASE}"
    office.rollouts.begin_step(step, Direction.DO, 1)
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
    assert gate.refusal(plan, StepName.DRAIN) == ""
    assert gate.refusal(plan, StepName.BACK_UP) != ""


def test_a_withdrawal_that_nobody_signed_yet_is_undone_without_a_signature(
    office: RealOffice,
) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        undone = client.withdraw(APP, "1.1", WithdrawAsk(undo=True))
        assert (undone.undone, undone.to_sign) == (True, False)
        (package,) = client.packages(APP)
        assert (package.signed, package.withdrawn) == (True, "")
        assert client.make_plan(PLAN).label == "p1"


def test_one_that_was_signed_takes_another_signature_to_undo(office: RealOffice) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        office.sign()
        assert client.withdraw(APP, "1.1", WithdrawAsk(undo=True)).to_sign
        assert [p.signed for p in client.packages(APP)] == [False]
        office.sign()
        assert [p.signed for p in client.packages(APP)] == [True]
        assert client.make_plan(PLAN).label == "p1"


@pytest.mark.parametrize("lost", ["manifest", "zip"])
def test_what_is_here_no_more_cannot_be_put_back(office: RealOffice, lost: str) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        office.sign()
        folders = {
            "manifest": office.repository.folder / "targets" / "packages",
            "zip": office.settings.packages_folder,
        }
        for path in folders[lost].rglob("*" if lost == "manifest" else "[0-9a-f]*"):
            if path.is_file():
                path.unlink()
        with pytest.raises(Complaint, match="its content is here no more") as told:
            client.withdraw(APP, "1.1", WithdrawAsk(undo=True))
    assert told.value.mend.startswith(f"roundsman release add {APP} 1.1 FILE")


def test_the_same_package_added_again_is_on_offer_once_it_is_signed(
    office: RealOffice, tmp_path: Path
) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        office.sign()
        added = client.add_package(PackageAsk(app=APP, version="1.1"), tmp_path / "r.zip")
        assert (added.signed, added.withdrawn) == (False, "")
        office.sign()
        assert client.make_plan(PLAN).label == "p1"


def test_other_content_under_a_version_that_hosts_may_have_is_refused(
    office: RealOffice, tmp_path: Path
) -> None:
    other = make_zip(tmp_path / "o.zip", version=b"app=1.1 in another way\n")
    key = office.settings.signing_folder / SIGNING_KEY
    with office.client() as client:
        client.publish(sign_list(client.unsigned().unsigned, key, PASSPHRASE))
        client.withdraw(APP, "1.1", BAD)
        office.sign()
        with pytest.raises(Complaint, match="signed already, with other content"):
            client.add_package(PackageAsk(app=APP, version="1.1"), other)


def test_what_was_never_signed_waits_for_no_signature_any_more(
    office: RealOffice, tmp_path: Path
) -> None:
    with office.client() as client:
        client.add_package(
            PackageAsk(app=APP, version="1.2"), make_zip(tmp_path / "n.zip", a=b"2")
        )
        said = client.withdraw(APP, "1.2", BAD)
        assert not said.to_sign
        assert not any(t.new for t in client.unsigned().targets)


def test_withdrawn_twice_is_withdrawn_for_the_last_reason(office: RealOffice) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        client.withdraw(APP, "1.1", WithdrawAsk(why="and orders"))
        assert client.packages(APP)[0].withdrawn == "by ann: and orders"
        office.sign()
        assert not client.withdraw(APP, "1.1", BAD).to_sign


def test_a_release_that_nobody_knows_is_said_so(office: RealOffice) -> None:
    with office.client() as client, pytest.raises(Complaint, match=f"no package of {APP} 9"):
        client.withdraw(APP, "9", BAD)


def test_who_only_looks_on_cannot_withdraw(office: RealOffice) -> None:
    with office.client(OperatorRole.VIEWER) as client, pytest.raises(Complaint, match="viewer"):
        client.withdraw(APP, "1.1", BAD)


def test_the_reason_stands_in_the_audit_trail(office: RealOffice) -> None:
    with office.client() as client:
        client.withdraw(APP, "1.1", BAD)
        line = client.audit(1)[0]
    assert line.what == "release withdraw"
    assert "1.1" in line.detail
    assert "why=loses invoices" in line.detail


def test_nobody_withdraws_a_rollout(office: RealOffice) -> None:
    with pytest.raises(ValueError, match="it is releases that are withdrawn"):
        CommandAsk(verb=Verb.WITHDRAW)


def test_a_withdrawal_drops_the_signatures_of_a_list_that_waits(office: RealOffice) -> None:
    with office.client() as client:
        before = client.unsigned().unsigned
        client.withdraw(APP, "1.1", BAD)
        after = client.unsigned().unsigned
    assert before != after
    assert "packages/" not in after
