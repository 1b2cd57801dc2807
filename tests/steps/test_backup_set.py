import os
import random
import shutil
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.back_up import back_up, first_pass, prove_as_it_was
from agent.steps.backup_list import LIST
from agent.steps.backup_set import rebuild, verify
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.profile_reader import read_profile
from tests.steps.backups import backed_up, files_of, furnish, with_profile
from tests.steps.bench import PROFILE, ROLLOUT, Bench, FastLinux, snapshot, write_tree
from tests.steps.power import effects_of, was_cut

_EITHER = pytest.mark.parametrize("encrypted", [False, True])


def _folder_times(folder: Path) -> dict[str, int]:
    found = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in found}


@_EITHER
def test_what_is_rebuilt_is_the_folder_as_it_was(bench: Bench, encrypted: bool) -> None:
    furnish(bench)
    bench.app.chmod(0o2775)
    work = backed_up(bench, encrypted=encrypted)
    into = bench.folders.incoming

    head = rebuild(work, bench.folders.backup, Spot(into))

    assert snapshot(into) == snapshot(bench.app)
    assert _folder_times(into) == _folder_times(bench.app)
    assert into.stat().st_mode == bench.app.stat().st_mode
    assert (head.app, head.version, head.encrypted) == ("bench-app", "1.0", encrypted)
    assert work.told[-1] == (head.bytes, head.bytes)


@_EITHER
def test_a_flipped_bit_anywhere_is_found_and_named(bench: Bench, encrypted: bool) -> None:
    furnish(bench)
    work = backed_up(bench, encrypted=encrypted)
    assert verify(work, bench.folders.backup).findings == ()
    files = files_of(bench.folders.backup)
    chance = random.Random(36)
    found = 0
    for _ in range(100):
        file = chance.choice(files)
        content, about = file.read_bytes(), file.stat()
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
        findings = verify(work, bench.folders.backup).findings
        named = "list" if file.name == LIST else file.name if not encrypted else '"'
        found += len(findings) == 1 and named in findings[0].message
        file.write_bytes(content)
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert found == 100
    assert verify(work, bench.folders.backup).findings == ()


@_EITHER
def test_a_damaged_backup_is_never_rebuilt(bench: Bench, encrypted: bool) -> None:
    work = backed_up(bench, encrypted=encrypted)
    for file in files_of(bench.folders.backup):
        content, about = file.read_bytes(), file.stat()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
        with pytest.raises(Refused) as refused:
            rebuild(work, bench.folders.backup, Spot(bench.folders.incoming))
        assert refused.value.refusal is Refusal.BACKUP_DAMAGED
        assert not bench.folders.incoming.exists()
        file.write_bytes(content)
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


@_EITHER
def test_a_copy_that_is_missing_cut_or_of_other_rights_is_found(
    bench: Bench, encrypted: bool
) -> None:
    work = backed_up(bench, encrypted=encrypted)
    saved = bench.root / "saved"
    shutil.copytree(bench.folders.backup, saved, symlinks=True)
    files = [path for path in files_of(bench.folders.backup) if path.name != LIST]
    for spoil in (Path.unlink, lambda p: os.truncate(p, 1), lambda p: p.chmod(0o611)):
        spoil(files[0])
        assert len(verify(work, bench.folders.backup).findings) == 1
        with pytest.raises(Refused):
            rebuild(work, bench.folders.backup, Spot(bench.folders.incoming))
        shutil.rmtree(bench.folders.backup)
        shutil.copytree(saved, bench.folders.backup, symlinks=True)


def test_an_encrypted_backup_says_nothing_of_names_and_contents(bench: Bench) -> None:
    (bench.app / "prefs/secret-link").symlink_to("secret-target")
    backed_up(bench, encrypted=True)

    everything = b""
    for path in bench.folders.backup.rglob("*"):
        everything += path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        assert not path.is_symlink()
    for secret in (b"user.ini", b"changed by me", b"server.pem", b"secret", b"old.db"):
        assert secret not in everything


def test_two_encrypted_copies_that_change_places_are_found(bench: Bench) -> None:
    work = backed_up(bench, encrypted=True)
    copies = [p for p in files_of(bench.folders.backup) if p.name != LIST]
    one, other = copies[0], copies[1]
    held = one.with_name("held")
    one.rename(held)
    other.rename(one)
    held.rename(other)

    assert len(verify(work, bench.folders.backup).findings) == 2


def test_each_writing_is_sealed_with_a_key_and_a_name_of_its_own(bench: Bench) -> None:
    with_profile(bench, "\n[backup]\nencrypt = true\n")
    first_pass(bench.work(StepName.STAGE))
    before = {p.name: p.read_bytes() for p in files_of(bench.folders.backup)}
    (bench.app / "data/old.db").write_bytes(b"NOT KEPT")

    back_up(bench.work(StepName.BACK_UP))

    after = {p.name: p.read_bytes() for p in files_of(bench.folders.backup)}
    fresh = after.keys() - before.keys()
    assert len(fresh) == len(before.keys() - after.keys()) == 1
    assert after[fresh.pop()][:36] not in {sealed[:36] for sealed in before.values()}


@_EITHER
def test_a_backup_cut_short_anywhere_is_completed_by_the_next_attempt(
    bench: Bench, encrypted: bool
) -> None:
    with_profile(bench, f"\n[backup]\nencrypt = {str(encrypted).lower()}\n")

    def make() -> None:
        back_up(bench.work(StepName.BACK_UP))

    for cut_at in range(1, effects_of(make) + 1):
        shutil.rmtree(bench.folders.backup)
        was_cut(make, cut_at)
        make()
        assert verify(bench.work(), bench.folders.backup).findings == ()
        rebuild(bench.work(), bench.folders.backup, Spot(bench.folders.incoming))
        assert snapshot(bench.folders.incoming) == snapshot(bench.app)
        copies = [path for path in files_of(bench.folders.backup) if path.name != LIST]
        assert len(copies) == len(files_of(bench.app))


def test_a_backup_without_its_key_is_lost_and_says_so(bench: Bench) -> None:
    work = backed_up(bench, encrypted=True)
    key = bench.root / "state" / "backup.key"
    assert key.stat().st_mode & 0o777 == 0o600
    held = key.read_bytes()
    for spoil in (key.unlink, lambda: key.write_bytes(held[::-1].strip() + b"\n")):
        spoil()
        with pytest.raises(Refused, match=r"backup\.key") as refused:
            rebuild(work, bench.folders.backup, Spot(bench.folders.incoming))
        assert refused.value.refusal is Refusal.BACKUP_DAMAGED
        assert verify(work, bench.folders.backup).findings[0].code == "backup-damaged"


class _Growing(FastLinux):
    """Has a file changed at the very moment it is copied; keeps its time when told to."""

    sly = False
    grows = ""

    def copy(self, source: Spot, target: Spot, *, durable: bool = True) -> None:
        super().copy(source, target, durable=durable)
        live = Path(str(source))
        if live.name == self.grows:
            about = live.stat()
            live.write_bytes(live.read_bytes()[::-1])
            if self.sly:
                os.utime(live, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize("sly", [False, True])
def test_a_file_that_changes_while_it_is_copied_is_noticed(bench: Bench, sly: bool) -> None:
    platform = _Growing()
    platform.grows, platform.sly = "old.db", sly
    bench.platform = platform

    with pytest.raises(Failed, match=r"old\.db.*changes or differs while it is copied"):
        backed_up(bench)

    assert bench.app.joinpath("data/old.db").exists()
    with pytest.raises(Refused) as refused:
        rebuild(bench.work(), bench.folders.backup, Spot(bench.folders.incoming))
    assert refused.value.refusal is Refusal.NO_BACKUP


def test_a_complete_backup_is_not_made_anew_by_staging_again(bench: Bench) -> None:
    backed_up(bench)
    old = snapshot(bench.app)
    write_tree(bench.app, {"version.txt": b"app=1.1\n"})  # the next release by now

    first_pass(bench.work(StepName.STAGE))

    rebuild(bench.work(), bench.folders.backup, Spot(bench.folders.incoming))
    assert snapshot(bench.folders.incoming) == old


@_EITHER
def test_the_proof_of_a_roll_back_counts_every_file(bench: Bench, encrypted: bool) -> None:
    furnish(bench)
    backed_up(bench, encrypted=encrypted)
    work = bench.work(StepName.BACK_UP)

    prove_as_it_was(work)

    assert int(work.facts["proved_files"]) == sum(
        path.is_file() and not path.is_symlink() for path in bench.app.rglob("*")
    )


def _other_content(app: Path) -> None:
    about = (app / "data/old.db").stat()
    (app / "data/old.db").write_bytes(b"NOT KEPT")
    os.utime(app / "data/old.db", ns=(about.st_atime_ns, about.st_mtime_ns))


def _other_link(app: Path) -> None:
    (app / "prefs/link").unlink()
    (app / "prefs/link").symlink_to("default.ini")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_other_content, "data/old.db"),
        (_other_link, "prefs/link"),
        (lambda app: (app / "bin/app").chmod(0o700), "bin/app"),
        (lambda app: (app / "bin").chmod(0o700), "bin"),
        (lambda app: os.utime(app / "bin/app", ns=(1, 1)), "bin/app"),
        (lambda app: (app / "bin/app").unlink(), "bin/app"),
        (lambda app: (app / "new").write_bytes(b""), "new"),
        (lambda app: app.chmod(0o700), "the folder itself"),
    ],
)
def test_the_proof_fails_and_names_what_is_not_as_it_was(
    bench: Bench, spoil: object, named: str
) -> None:
    (bench.app / "prefs/link").symlink_to("user.ini")
    bench.app.chmod(0o755)
    backed_up(bench)
    assert callable(spoil)
    spoil(bench.app)

    with pytest.raises(Failed, match=rf'cannot confirm that the old release is back: "{named}"'):
        prove_as_it_was(bench.work(StepName.BACK_UP))


def test_data_that_a_roll_back_kept_aside_is_no_difference(bench: Bench) -> None:
    with_profile(bench, '\n[data]\nscope = "host"\nfolders = ["data"]\n')
    back_up(bench.work(StepName.BACK_UP))
    write_tree(bench.app, {f"data.{ROLLOUT}/new.db": b"newer"})

    prove_as_it_was(bench.work(StepName.BACK_UP))


def test_a_backup_that_was_never_completed_proves_nothing_and_does_not_fail(bench: Bench) -> None:
    for staged in (False, True):
        if staged:
            first_pass(bench.work(StepName.STAGE))
        work = bench.work(StepName.BACK_UP)
        prove_as_it_was(work)
        assert "nothing to compare" in work.facts["proof"]


def test_what_stays_is_left_out_unless_the_profile_has_it_backed_up(bench: Bench) -> None:
    text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
    bench.profile = read_profile(text.replace("keep =", 'stay = ["data"]\nkeep ='), "bench.toml")
    back_up(bench.work(StepName.BACK_UP))
    rebuild(bench.work(), bench.folders.backup, Spot(bench.folders.incoming))

    assert not (bench.folders.incoming / "data").exists()
    assert (bench.folders.incoming / "bin/app").exists()
    (bench.app / "data/old.db").write_bytes(b"moves on")
    prove_as_it_was(bench.work(StepName.BACK_UP))
