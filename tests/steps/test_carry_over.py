"""Security row T10: what is carried over arrives as it was, over random trees.

`CARRY_TREES=10000` tries that many; without it a few, so that a run stays short.
"""

import os
import stat
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.platforms.base import Spot
from agent.steps.apply.staging import manifest_of, unpack
from agent.steps.carry_over import carry_over, verify_release
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import Bench

TREES = int(os.environ.get("CARRY_TREES", "60"))
_NAMES = st.text("aAé .-_~[]*#0\udcff\n", min_size=1, max_size=5).filter(
    lambda name: name not in {".", ".."}
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_OWNERS = st.sampled_from([(0, 0), (12345, 12345), (12345, 4)])
_TIMES = st.integers(0, 2**31).map(lambda seconds: seconds * 10**9 + 123_456_789)


@dataclass(frozen=True)
class Thing:
    """One file, folder or link, and all that an administrator could have given it."""

    kind: str
    content: bytes
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    note: bytes
    acl: int  # which user an entry of its ACL is for; 0 = it has none


_THINGS = st.builds(
    Thing,
    st.sampled_from(["file", "file", "folder", "link"]),
    st.binary(max_size=40),
    st.sampled_from([0o600, 0o640, 0o755, 0o4755, 0o2750, 0o777, 0o000]),
    _OWNERS,
    _TIMES,
    st.binary(max_size=8),
    st.sampled_from([0, 0, 7, 12345]),
)
_TREES = st.dictionaries(_PATHS, _THINGS, max_size=8)


def _acl(user: int) -> bytes:
    entries = [(1, 6, -1), (2, 4, user), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries
    )


def _write(folder: Path, tree: dict[str, Thing]) -> None:
    made = [(path, thing) for path, thing in tree.items() if _make(folder / path, thing)]
    for path, thing in sorted(made, reverse=True):  # a folder's time after what is in it
        _give(folder / path, thing)


def _make(path: Path, thing: Thing) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if thing.kind == "folder":
            path.mkdir()
        elif thing.kind == "link":
            path.symlink_to("../" * (len(thing.content) % 3) + "version.txt")
        else:
            with path.open("xb") as file:
                file.write(thing.content)
    except OSError:
        return False  # a file where another path wants a folder: no such tree exists
    return True


def _give(path: Path, thing: Thing) -> None:
    os.chown(path, *thing.owner, follow_symlinks=False)
    if thing.kind != "link":
        path.chmod(thing.mode)
        if thing.note:
            os.setxattr(path, "user.note", thing.note)
        if thing.acl:
            os.setxattr(path, "system.posix_acl_access", _acl(thing.acl))
            if thing.kind == "folder":
                os.setxattr(path, "system.posix_acl_default", _acl(thing.acl))
    os.utime(path, ns=(thing.mtime_ns, thing.mtime_ns), follow_symlinks=False)


def _all_about(folder: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content: object = None
        if path.is_symlink():
            content = path.readlink()
        elif path.is_file():
            content = path.read_bytes()
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
        }
        rights = (about.st_mode, about.st_uid, about.st_gid)
        name = path.relative_to(folder).as_posix()
        found[name] = (*rights, about.st_mtime_ns, content, attributes)
    return found


def _carried(bench: Bench) -> Path:
    work = bench.work(StepName.APPLY_RELEASE)
    manifest = manifest_of(work)
    unpack(work, manifest)
    verify_release(work, manifest, carry_over(work, manifest))
    return bench.folders.incoming


@pytest.fixture
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files to others")


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("_root")
@settings(
    max_examples=TREES,
    deadline=None,
    derandomize="CARRY_TREES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(_TREES)
def test_whatever_is_kept_arrives_with_all_it_had(tree: dict[str, Thing]) -> None:
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        _write(bench.app / "prefs", tree)
        before = _all_about(bench.app / "prefs")

        incoming = _carried(bench)

        after = _all_about(incoming / "prefs")
        assert {path: after[path] for path in before} == before
        assert set(after) - set(before) <= {"default.ini.new"}
        assert _all_about(bench.app / "prefs") == before


def test_what_the_package_ships_under_a_kept_name_lies_beside_it(bench: Bench) -> None:
    incoming = _carried(bench)

    assert (incoming / "prefs/default.ini").read_bytes() == b"changed by me"
    assert (incoming / "prefs/default.ini.new").read_bytes() == b"shipped with 1.1"


def test_a_kept_file_that_is_as_shipped_has_nothing_beside_it(bench: Bench) -> None:
    (bench.app / "prefs/default.ini").write_bytes(b"shipped with 1.1")

    assert not (_carried(bench) / "prefs/default.ini.new").exists()


def test_what_became_another_kind_between_two_attempts_is_carried_as_it_is_now(
    bench: Bench,
) -> None:
    (bench.app / "prefs/thing").symlink_to("/etc")
    (bench.app / "prefs/other").mkdir()
    _carried(bench)
    (bench.app / "prefs/thing").unlink()
    (bench.app / "prefs/thing").mkdir()
    (bench.app / "prefs/thing/passwd").write_bytes(b"mine")
    (bench.app / "prefs/other").rmdir()
    (bench.app / "prefs/other").write_bytes(b"a file now")

    work = bench.work(StepName.APPLY_RELEASE)
    verify_release(work, manifest_of(work), carry_over(work, manifest_of(work)))

    assert (bench.folders.incoming / "prefs/thing/passwd").read_bytes() == b"mine"
    assert (bench.folders.incoming / "prefs/other").read_bytes() == b"a file now"


def test_a_kept_file_where_the_package_has_a_folder_is_refused(bench: Bench) -> None:
    bench.ship(bench.release | {"prefs/user.ini/deep": b""})

    with pytest.raises(Refused, match="a file here and a folder in the package") as caught:
        _carried(bench)

    assert caught.value.refusal is Refusal.PACKAGE_MISMATCH


@pytest.mark.usefixtures("_root")
def test_a_release_gets_the_owners_of_the_old_one_but_no_right_to_be_run_as_them(
    bench: Bench,
) -> None:
    os.chown(bench.app / "bin/app", 12345, 12345)
    (bench.app / "bin/app").chmod(0o4755)

    new = (_carried(bench) / "bin/app").stat()

    assert (new.st_uid, stat.S_IMODE(new.st_mode)) == (12345, 0o755)


def test_the_live_folder_is_only_read(bench: Bench) -> None:
    before = bench.platform.items(bench.app)

    _carried(bench)

    assert bench.platform.items(bench.app) == before
    assert bench.platform.look_at(Spot(bench.app)) is not None
