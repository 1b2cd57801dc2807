"""Shared data that the old release cannot read any more: the whole office goes back, or none."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from coordinator.cli.demo_office import APP, NEW, OLD, DemoOffice
from coordinator.cli.demo_processes import processes_below
from coordinator.cli.demo_troubles import hold_port
from coordinator.cli.demo_witness import Witness
from coordinator.cli.demo_workstation import Wares
from coordinator.standin.make_release import Size
from coordinator.walk.states import RolloutState
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]

_SMALL = Size(libraries=7, half_a_library=14_000, table=5_000)


@contextmanager
def _office(base: Path) -> Iterator[tuple[DemoOffice, Witness]]:
    """Two workstations, the first of which holds the data; the second will not come back."""
    office = DemoOffice(base, 2, Wares(size=_SMALL, shares_data=True, one_way=True))
    with closing(office):
        office.set_up_coordinator()
        office.install_apps()
        office.enrol_agents()
        office.publish_profile()
        office.publish_release(NEW)
        yield office, office.start_witness("witness", OLD, NEW)
    until(lambda: not list(processes_below(base)), what="no process is left")


@contextmanager
def _rollout(office: DemoOffice, on_failure: str) -> Iterator[str]:
    """A rollout that has begun, in which the second workstation's port is taken."""
    window = ("--within", "1800", "--grace", "1", "--on-failure", on_failure)
    plan = office.roundsman("plan", APP, NEW, *window)
    label = office.roundsman("rollout", "start", plan["label"])["label"]
    end = threading.Event()
    words = (office, office.hosts[1], label, end, lambda _text: None)
    trouble = threading.Thread(target=hold_port, args=words)
    trouble.start()
    try:
        yield label
    finally:
        end.set()
        trouble.join()


def _stands(office: DemoOffice, label: str, state: RolloutState) -> None:
    def so() -> bool:
        seen = office.rollout(label)
        return seen is not None and seen.state is state

    until(so, 150, f"the rollout is {state}")


def _newer(office: DemoOffice) -> list[str]:
    assert office.share is not None
    beside = office.share.folder.parent.glob("data.*")
    return [(folder / "schema").read_text().splitlines()[0] for folder in beside]


def test_the_whole_office_goes_back_with_its_data_and_the_newer_is_kept(tmp_path: Path) -> None:
    with _office(tmp_path) as (office, witness):
        with _rollout(office, "roll-back-all") as label:
            _stands(office, label, RolloutState.ABORTED)
        assert witness.judge_gone_back()["violations"] == []
        assert _newer(office) == [NEW]
        said = office.roundsman("rollout", "report", label)["text"]
    assert "newer data is kept as" in said


def test_an_office_left_closed_for_the_night_is_taken_back_in_the_morning(tmp_path: Path) -> None:
    with _office(tmp_path) as (office, witness):
        with _rollout(office, "stop") as label:
            _stands(office, label, RolloutState.NEEDS_OPERATOR)
            office.roundsman("rollout", "abort", label, "--leave-closed", "--yes")
            _stands(office, label, RolloutState.LEFT_CLOSED)
        office.kill_coordinator()
        office.start_coordinator()
        office.wait_linked()
        office.roundsman("rollout", "roll-back", label, "--yes")
        _stands(office, label, RolloutState.ABORTED)
        assert witness.judge_gone_back()["violations"] == []
        assert _newer(office) == [NEW]
