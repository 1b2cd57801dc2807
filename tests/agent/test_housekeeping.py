"""What is needed no more goes from the disk, at an agent's start and after a rollout."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from agent.config import AppPlace
from agent.housekeeping import Housekeeper
from agent.journal import Journal
from agent.platforms.base import Spot
from agent.platforms.linux_files import LinuxFiles
from agent.records import StepRecord
from agent.wire.contract import Direction, StepName, StepState, Target
from tests.agent.fakes import config_of
from tests.agent.test_main import running, write_config
from tests.agent.test_needs import DO, NOW, OLDEST, PROFILES, TIDY, N, rollout, step
from tests.until import until

_CONTENTS = [f"{n + 90:064x}" for n in range(2)]
_TEXTS = [
    json.dumps({"app": "office", "version": f"1.{n}", "content_sha256": _CONTENTS[n]})
    for n in range(2)
]
PACKAGES = [Target(f"p{n}", sha256(text.encode()).hexdigest()) for n, text in enumerate(_TEXTS)]


class CutFiles(LinuxFiles):
    """Loses its power at one change of the disk."""

    def __init__(self, cut_at: int) -> None:
        self._left = cut_at

    def _change(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise OSError("the power is cut")

    def remove(self, spot: Spot) -> None:
        self._change()
        super().remove(spot)

    def rename(self, source: Spot, target: Spot) -> None:
        self._change()
        super().rename(source, target)


@dataclass
class House:
    """An agent's folders, in which releases 0 and 1 of an app were fetched."""

    state: Path
    app: Path
    journal: Journal

    def took(self, *steps: StepRecord) -> None:
        for one in steps:
            self.journal.put_step(replace(one, began=self.journal.next_run()))

    def look(self, files: LinuxFiles | None = None, *, steady: bool = True) -> None:
        def act(_number: int, do: Callable[[], None]) -> bool:
            if steady:
                do()
            return steady

        places = {"office": AppPlace(self.app, {})}
        config = replace(config_of(self.state.parent), apps=places)
        keeper = Housekeeper(config, self.journal, files or LinuxFiles())
        keeper.look(act, NOW, OLDEST)

    def left(self) -> set[str]:
        """Return what there is, by name."""
        folders = [self.state / f for f in ("tuf/kept", "downloads", "staging", "staging/ready")]
        folders.append(self.app.parent)
        found = {path.name for folder in folders for path in folder.iterdir()}
        return found - {"ready", self.app.name}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    state, app = tmp_path / "state", tmp_path / "apps" / "office"
    for folder in (state / "tuf/kept", state / "downloads", state / "staging/ready", app):
        folder.mkdir(parents=True)
    for n, text in enumerate(_TEXTS):
        _write(state / "tuf/kept" / PACKAGES[n].sha256, text)
        _write(state / "downloads" / f"{_CONTENTS[n]}.part", "half")
        _write(state / "staging/ready" / f"office.{PACKAGES[n].sha256}" / "app.py", "app")
        _write(state / "staging" / rollout(n) / "incoming" / "app.py", "app")
    _write(state / "tuf/kept" / PROFILES[0].sha256, "profile")
    with closing(Journal.open(tmp_path / "journal.sqlite")) as journal:
        yield House(state, app, journal)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (NOW - 30 * 86400, NOW - 30 * 86400))


def _step(
    number: int, name: StepName, way: Direction = DO, state: StepState = StepState.DONE
) -> StepRecord:
    taken = step(number, name, way, state)
    return replace(taken, params=replace(taken.params, package=PACKAGES[number]))


def _walk(number: int) -> list[StepRecord]:
    names = [N.STAGE, N.DRAIN, N.APPLY_RELEASE]
    done = [_step(number, name) for name in names]
    return [*done, _step(number, N.SURVEY, TIDY)]


def _all_of(number: int) -> set[str]:
    package = PACKAGES[number].sha256
    ready = f"office.{package}"
    return {package, f"{_CONTENTS[number]}.part", ready, rollout(number), PROFILES[0].sha256}


def test_after_a_rollout_nothing_of_it_is_left_and_what_is_staged_for_the_next_is(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.took(*_walk(0), _step(1, N.STAGE, state=StepState.RUNNING))
    with caplog.at_level(logging.INFO):
        house.look()
    assert house.left() == _all_of(1)
    told = {(r.__dict__["what"], r.__dict__["name_of_it"]) for r in caplog.records}
    assert told == {
        ("signed target", PACKAGES[0].sha256),
        ("download", f"{_CONTENTS[0]}.part"),
        ("release", f"office.{PACKAGES[0].sha256}"),
        ("release", rollout(0)),
    }


def test_with_all_rollouts_over_all_goes(house: House) -> None:
    house.took(*_walk(0), *_walk(1))
    house.look()
    assert house.left() == set()


def test_a_target_that_was_just_verified_is_kept_for_the_order_to_come(house: House) -> None:
    house.took(*_walk(0), *_walk(1))
    os.utime(house.state / "tuf/kept" / PROFILES[0].sha256, (NOW - 60, NOW - 60))
    house.look()
    assert house.left() == {PROFILES[0].sha256}


def test_while_an_old_release_lies_beside_the_app_its_rollout_s_folder_stays(house: House) -> None:
    house.took(*_walk(0), *_walk(1))
    (house.app.parent / f"office_old.{rollout(0)}").mkdir()
    house.look()
    assert house.left() == {rollout(0), f"office_old.{rollout(0)}"}


def test_beside_an_app_on_another_disk_the_agent_s_own_folder_is_tidied_too(house: House) -> None:
    house.took(*_walk(0), *_walk(1))
    beside = house.app.parent / ".roundsman"
    left = beside / "staging" / rollout(0) / "incoming"
    left.mkdir(parents=True)
    beside.chmod(0o700)
    house.look()
    assert not left.parent.exists()


@pytest.mark.parametrize("planted", ["link", "open"])
def test_what_a_user_may_have_planted_there_is_left_alone(
    house: House, planted: str, tmp_path: Path
) -> None:
    house.took(*_walk(0), *_walk(1))
    beside, precious = house.app.parent / ".roundsman", tmp_path / "precious"
    (precious / "staging" / rollout(0)).mkdir(parents=True)
    if planted == "link":
        beside.symlink_to(precious)
    else:
        precious.rename(beside)
        beside.chmod(0o777)
    house.look()
    assert (beside / "staging" / rollout(0)).is_dir()


def test_a_step_that_has_begun_meanwhile_keeps_everything(house: House) -> None:
    house.took(*_walk(0), *_walk(1))
    before = house.left()
    house.look(steady=False)
    assert house.left() == before


@pytest.mark.parametrize("cut_at", range(1, 12))
def test_cut_short_anywhere_the_next_look_ends_it(house: House, cut_at: int) -> None:
    house.took(*_walk(0), _step(1, N.STAGE, state=StepState.RUNNING))
    house.look(CutFiles(cut_at))
    assert house.left() >= _all_of(1)
    house.look()
    assert house.left() == _all_of(1)


def test_with_an_illegible_step_in_the_journal_nothing_goes(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.took(*_walk(0), *_walk(1))
    house.journal._file.write("UPDATE step SET record = '{' WHERE direction = ?", DO.value)
    before = house.left()
    house.look()
    assert house.left() == before
    assert "not tidied" in caplog.text


def test_an_agent_tidies_when_it_starts(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    stale = config.parent / "downloads" / f"{_CONTENTS[0]}.zip"
    _write(stale, "whole")
    with running(config):
        until(lambda: not stale.exists())
