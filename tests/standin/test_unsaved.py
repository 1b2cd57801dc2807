"""Unsaved work in the stand-in: asked about, kept by the app, and looked for byte by byte."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standin.world import Desk, World, end
from tests.until import until


def _notes(desk: Desk) -> list[dict[str, Any]]:
    lines = (desk.place / "drafts.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _asked(desk: Desk) -> bool:
    return any("asked" in note for note in _notes(desk))


@pytest.fixture
def desk(world: World) -> Desk:
    """Return a desk where lea has written something; both are to stay on the old release."""
    for other in world.desks:
        other.expected, other.running = "1.0", False
    world.note()
    desk = world.desks[0]
    desk.drafts = {"home": str(desk.place / "home"), "copy": str(desk.place / "copy")}
    return desk


def _open(desk: Desk, *more: str) -> subprocess.Popen[bytes]:
    return desk.open_app("lea", "--unsaved", str(desk.place / "home"), *more)


def _draft(desk: Desk) -> Path:
    return desk.place / "home" / "lea.draft"


def test_an_app_with_unsaved_work_asks_once_and_stays_open(desk: Desk) -> None:
    app = _open(desk)
    app.terminate()
    until(lambda: _asked(desk), what="the app asks")
    app.terminate()
    assert app.poll() is None
    app.kill()
    end(app)
    assert ["asked" in note for note in _notes(desk)] == [False, True]
    assert not desk.has_said("close", app.pid)


def test_what_is_unsaved_is_in_the_autosave_from_the_start_and_in_no_document(desk: Desk) -> None:
    app = _open(desk)
    text = _notes(desk)[0]["text"]
    assert _draft(desk).read_bytes() == text.encode()
    assert "the last words of lea" in text
    app.kill()
    end(app)
    assert text not in (desk.folder / "data" / "lea.txt").read_text("utf-8")


def test_an_app_whose_patience_is_over_ends_and_has_saved_nothing(
    desk: Desk, world: World
) -> None:
    app = _open(desk, "--patience", "0.05")
    app.terminate()
    end(app)
    assert app.returncode == 0
    assert desk.has_said("close", app.pid)
    assert "saved" not in (desk.folder / "data" / "lea.txt").read_text("utf-8")
    world.note_end()
    assert "lost-work" not in world.kinds()


def test_two_who_write_never_write_the_same(desk: Desk) -> None:
    for _ in range(2):
        end_by_force(_open(desk))
    first, second = (note["text"] for note in _notes(desk))
    assert first != second


def end_by_force(app: subprocess.Popen[bytes]) -> None:
    app.kill()
    end(app)


def test_the_witness_tells_who_wrote_whether_they_were_asked_and_where_it_is(
    desk: Desk, world: World
) -> None:
    app = _open(desk)
    shutil.copytree(desk.place / "home", desk.place / "copy" / "lea" / "1")
    end_by_force(app)
    world.note_end()
    [draft] = world.judge()["drafts"]
    assert draft == {
        "host": "PC-01",
        "user": "lea",
        "pid": app.pid,
        "bytes": len(_notes(desk)[0]["text"]),
        "asked": False,
        "found": ["home", "copy"],
    }


def _cut_the_last_byte(draft: Path) -> None:
    draft.write_bytes(draft.read_bytes()[:-1])


def _add_a_byte(draft: Path) -> None:
    draft.write_bytes(draft.read_bytes() + b"\n")


def _change_a_byte(draft: Path) -> None:
    draft.write_bytes(draft.read_bytes().replace(b"lea", b"Lea"))


@pytest.mark.parametrize("harm", [_cut_the_last_byte, _add_a_byte, _change_a_byte, Path.unlink])
def test_unsaved_work_of_which_one_byte_is_missing_everywhere_is_lost(
    desk: Desk, world: World, harm: Callable[[Path], None]
) -> None:
    end_by_force(_open(desk))
    harm(_draft(desk))
    world.note_end()
    verdict = world.judge()
    assert [v["kind"] for v in verdict["violations"] if "lea" in v["detail"]] == ["lost-work"]
    assert verdict["drafts"][0]["found"] == []


def test_unsaved_work_is_not_lost_as_long_as_one_copy_is_whole(desk: Desk, world: World) -> None:
    app = _open(desk)
    shutil.copytree(desk.place / "home", desk.place / "copy")
    end_by_force(app)
    _change_a_byte(_draft(desk))
    world.note_end()
    assert "lost-work" not in world.kinds()
    assert world.judge()["drafts"][0]["found"] == ["copy"]


def test_an_app_that_cannot_keep_a_draft_does_not_open(desk: Desk) -> None:
    (desk.place / "home").write_text("a file where the folder is to be")
    app = desk.run("officeapp.py", "lea", "--unsaved", str(desk.place / "home"))
    assert "FileExistsError" in end(app)
    assert desk.lines() == []
