"""A bench whose app is backed up, plainly or encrypted, and what tests of backups ask of it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.steps.back_up import back_up
from agent.steps.table import Work
from agent.wire.contract import StepName
from agent.wire.profile_reader import read_profile
from tests.steps.bench import PROFILE, Bench, SmallWork, write_tree

ASKED = "01JD0000000000000000000009"
"""The id of what an operator asks outside of a rollout."""


def with_profile(bench: Bench, more: str) -> None:
    """Have a profile with more in it."""
    text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
    bench.profile = read_profile(text + more, "bench.toml")


def furnish(bench: Bench) -> None:
    """Put all kinds of things into the app's folder."""
    write_tree(
        bench.app, {"bin/empty": b"", "lib/big.bin": os.urandom(2**20 + 5), "déjà vu": b"x"}
    )
    (bench.app / "prefs/link").symlink_to("user.ini")
    (bench.app / "prefs/dangling").symlink_to("/nowhere")
    (bench.app / "none/below").mkdir(parents=True)
    (bench.app / "none").chmod(0o1777)
    os.utime(bench.app / "none", ns=(5, 1_000_000_005))
    os.setxattr(bench.app / "prefs/user.ini", "user.note", b"mine")
    if os.geteuid() == 0:
        os.chown(bench.app / "prefs/user.ini", 1234, 2345)
        os.chown(bench.app / "prefs/link", 1234, 2345, follow_symlinks=False)
        os.chown(bench.app / "none", 1234, 2345)


def backed_up(bench: Bench, *, encrypted: bool = False) -> SmallWork:
    """Have the app backed up; returns the work of the step."""
    with_profile(bench, "\n[backup]\nencrypt = true\n" if encrypted else "")
    work = bench.work(StepName.BACK_UP)
    back_up(work)
    return work


def asked(bench: Bench, step: StepName, **params: object) -> SmallWork:
    """Return the work of a step that an operator asks for, with folders of its own."""
    work = bench.work(step, package=None, version="", **params)
    staging = bench.root / "state" / "staging" / ASKED
    staging.mkdir(mode=0o700, exist_ok=True)
    work.step_id = f"{ASKED}/pc-01/{step}"
    work.folders = replace(
        work.folders,
        incoming=staging / "incoming",
        outgoing=bench.app.with_name(f"app_old.{ASKED}"),
        discarded=staging / "discarded",
        backup=bench.root / "state" / "backups" / ASKED,
    )
    return work


def do(
    bench: Bench, handler: Callable[[Work], None], step: StepName, **params: object
) -> SmallWork:
    """Take a step that an operator asks for."""
    work = asked(bench, step, **params)
    handler(work)
    return work


def files_of(backup: Path) -> list[Path]:
    """Return every plain file of a backup that holds at least a byte."""
    found = sorted(path for path in backup.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in found if path.stat().st_size]
