"""Unsaved work in the demo's office: killed at last, and every byte of it is still there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.cli.demo_drafts import Drafts, drafts_folder, own_home
from coordinator.cli.demo_troubles import leave_unsaved
from coordinator.standin.inspector import find_drafts
from coordinator.walk.states import RolloutState
from tests.faults.ledger import Json
from tests.faults.office import WARES, FaultOffice, office
from tests.until import until


@pytest.fixture
def drafts(tmp_path: Path) -> Iterator[Drafts]:
    with drafts_folder(tmp_path / "home", own_home()) as made:
        yield made


def _found(made: FaultOffice, drafts: Drafts) -> list[Json]:
    host = made.hosts[0]
    places = {"copy": str(host.autosaves), "own": str(drafts.folder)}
    return find_drafts(
        {"name": host.name, "evidence": str(host.evidence), "drafts": places},
    )


@pytest.mark.timeout(300)
def test_an_app_that_goes_on_asking_is_killed_at_last_and_nothing_written_is_lost(
    tmp_path: Path, drafts: Drafts
) -> None:
    with office(tmp_path / "office", 2, replace(WARES, drafts=drafts)) as made:
        made.begin("1.1")
        leave_unsaved(drafts, made.hosts[0], patience=0)
        rollout = made.start_rollout("1.1")
        with made.client() as client:
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            report = client.report(rollout)
        assert report.rollout["state"] == RolloutState.DONE
        [draft] = _found(made, drafts)
        assert (draft["asked"], draft["found"]) == (True, ["copy", "own"])
        steps = next(h["steps"] for h in report.hosts if h["host"] == "PC-01")
        assert "kill 1" in next(s["facts"]["closed_by"] for s in steps if s["step"] == "drain")


def test_a_home_that_takes_no_folder_leaves_the_draft_to_the_app_alone(tmp_path: Path) -> None:
    for home in (None, tmp_path / "nowhere"):
        with drafts_folder(tmp_path / "office", home) as made:
            assert made == Drafts(tmp_path / "office")


def test_the_folder_in_the_home_is_found_by_its_pattern_and_gone_at_the_end(
    tmp_path: Path,
) -> None:
    with drafts_folder(tmp_path / "office", tmp_path) as made:
        (made.folder / "lea.draft").write_text("words")
        assert [f.name for f in tmp_path.glob(f"{made.pattern}/*")] == ["lea.draft"]
    assert list(tmp_path.iterdir()) == []
