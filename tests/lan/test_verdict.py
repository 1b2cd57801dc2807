"""The verdict on an office is not blind: whatever must not be is told."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.standin.inspector import note_host
from coordinator.standin.make_release import seed_host, write_folder
from tests.lan import verdict
from tests.lan.app import OLD, SMALL, USERS
from tests.lan.box import Box
from tests.lan.moments import Moment
from tests.lan.office import LanOffice
from tests.until import until

pytestmark = pytest.mark.timeout(400)
_SPANS = {"h1": [(10.0, 11.0)], "h2": [(20.0, 21.0)]}
_BACKUP = {"host": "h1", "backup": "/b/1", "complete": True, "changed": 9.0}
_OTHER = {"host": "h2", "backup": "/b/2", "complete": True, "changed": 19.0}


def test_what_slips_past_the_guard_and_what_lies_elsewhere_is_told(tmp_path: Path) -> None:
    with Box(2) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        office.when("h2", "stop-service-manager", Moment.ENDED)
        open_a_copy(office, "h2")
        (box.hosts["h1"].root / "etc/lobapp.conf").write_text("written by nobody who may\n")
        assert office.end(rollout) == "done", office.told(rollout)
        found = {(one["host"], one["kind"]) for one in office.violations()}
    assert ("h2", "open-while-mixed") in found
    assert ("h1", "elsewhere") in found


def open_a_copy(office: LanOffice, name: str) -> None:
    """Have alice open a copy of the app that no guard can know."""
    station = office.stations[name]
    copy = station.host.root / "home/alice/copy.py"
    shutil.copy(station.folder / "officeapp.py", copy)
    command = ("python3", "-I", "/home/alice/copy.py", USERS[0], "--home", "/opt/lob/lobapp")
    before = len(station.lines("open"))
    station.host.spawn(*command, user=USERS[0])
    until(lambda: len(station.lines("open")) > before, 30, "the copy opens")


def test_a_host_that_is_off_is_watched_all_the_same(tmp_path: Path) -> None:
    with Box(1) as box, LanOffice(box, tmp_path) as office:
        box.hosts["h1"].power_off()
        assert office.violations() == []


def test_a_way_back_that_goes_before_the_last_change_is_told() -> None:
    early = {"host": "h1", "time": 20.5, "way_back": None}
    assert kinds(verdict.judge_way_back(_SPANS, [early])) == ["no-way-back"]
    late = [early | {"time": 21.5}, early | {"way_back": "/somewhere/else"}]
    assert kinds(verdict.judge_way_back(_SPANS, late)) == []


def test_a_change_without_a_complete_backup_before_it_is_told() -> None:
    assert kinds(verdict.judge_backups(_SPANS, [_BACKUP, _OTHER])) == []
    for facts in ([_BACKUP], [_BACKUP, _OTHER | {"complete": False}]):
        assert kinds(verdict.judge_backups(_SPANS, facts)) == ["no-backup"]
    late = [_BACKUP | {"changed": 10.5}, _OTHER]
    assert kinds(verdict.judge_backups(_SPANS, late)) == ["no-backup"]


def test_a_backup_that_is_not_what_was_there_is_told(tmp_path: Path) -> None:
    release, backup = tmp_path / OLD, tmp_path / "backup"
    write_folder(OLD, release, SMALL)
    shutil.copytree(release, backup / "tree")
    seed_host(backup / "tree", "h1", 8080, SMALL)
    owned = note_host(backup / "tree")
    facts = [_BACKUP | {"backup": str(backup)}]
    assert kinds(verdict.judge_copies("h1", facts, release, owned)) == []
    (backup / "tree/lib/module000.dat").unlink()
    with (backup / "tree/data/table0.db").open("ab") as table:
        table.write(b"more")
    found = kinds(verdict.judge_copies("h1", facts, release, owned))
    assert found == ["backup-not-kept", "backup-content"]


def test_files_written_where_nobody_had_to_write_are_told(tmp_path: Path) -> None:
    for name in ("etc/passwd", "opt/lob/lobapp/VERSION", "var/lib/roundsman/journal", "etc/old"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    since = last_change(tmp_path)
    until(lambda: time.time() > since + 0.1)
    assert kinds(verdict.judge_places("h1", tmp_path, since)) == []
    (tmp_path / "opt/lob/lobapp/VERSION").write_text("after")
    (tmp_path / "var/lib/roundsman/journal").unlink()
    assert kinds(verdict.judge_places("h1", tmp_path, since)) == []
    (tmp_path / "etc/old").unlink()
    (tmp_path / "opt/other").mkdir()
    found = [one["detail"] for one in verdict.judge_places("h1", tmp_path, since)]
    assert found == ["/etc was changed", "/opt was changed", "/opt/other was changed"]


def last_change(folder: Path) -> float:
    """Return when something below a folder was changed last."""
    return max(path.lstat().st_ctime for path in folder.rglob("*"))


def test_the_sampler_follows_the_old_release_and_sees_it_go(tmp_path: Path) -> None:
    app, kept, backups = (tmp_path / name for name in ("app", "app_old", "backups"))
    (app / "lib").mkdir(parents=True)
    with sampled(tmp_path, app, backups) as record:
        app.rename(kept)
        until(lambda: str(kept) in record.read_text("utf-8"), 20, "it is followed")
        (backups / "r1").mkdir(parents=True)
        (backups / "r1/backup.json").write_text('{"head": {"complete": true}}')
        until(lambda: '"complete": true' in record.read_text("utf-8"), 20, "it sees the backup")
        (kept / "lib").rmdir()
        until(lambda: '"way_back": null' in record.read_text("utf-8"), 20, "it sees it go")
    facts = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    assert [fact["way_back"] for fact in facts if "way_back" in fact] == [
        str(app),
        str(kept),
        None,
    ]


@contextmanager
def sampled(base: Path, app: Path, backups: Path) -> Iterator[Path]:
    """Have the sampler watch one host; yields its record."""
    config, record = base / "sampler.json", base / "record.jsonl"
    host = {"name": "h1", "folder": os.fspath(app), "backups": os.fspath(backups)}
    config.write_text(json.dumps({"hosts": [host]}), "utf-8")
    script = Path(verdict.__file__).with_name("sampler.py")
    command = [sys.executable, "-I", str(script), str(config), str(record)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sampler:
        assert sampler.stdout is not None
        assert sampler.stdout.readline() == b"watching\n"
        try:
            yield record
        finally:
            sampler.terminate()


def kinds(found: Iterator[verdict.Json]) -> list[str]:
    """Return the kinds of what was found."""
    return [one["kind"] for one in found]
