import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.platforms.linux import Linux
from agent.steps.apply_release import apply_release
from agent.steps.stage import stage
from agent.steps.tree import matching, total_bytes
from agent.wire.contract import StepName
from tests.steps.bench import Bench, snapshot, write_tree

_NAMES = st.text("aAé .-_~[]*#0", min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."}
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_FILES = st.dictionaries(
    _PATHS,
    st.tuples(st.binary(max_size=40), st.integers(0, 2**31), st.sampled_from([0o600, 0o755])),
)


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("prefs/**", "prefs/a", True),
        ("prefs/**", "prefs/a/b/c", True),
        ("prefs/**", "prefs", True),
        ("prefs/**", "prefs2/a", False),
        ("prefs", "prefs/a/b", True),
        ("prefs/", "prefs/a", True),
        ("*.ini", "a.ini", True),
        ("*.ini", "sub/a.ini", False),
        ("**/*.ini", "a.ini", True),
        ("**/*.ini", "x/y/a.ini", True),
        ("**/*.ini", "x/y/a.txt", False),
        ("modules/*/settings/**", "modules/fax/settings/a", True),
        ("modules/*/settings/**", "modules/a/b/settings/c", False),
        ("certs/server.?em", "certs/server.pem", True),
        ("certs/[ab].pem", "certs/a.pem", True),
        ("**", "anything/at/all", True),
    ],
)
def test_a_pattern_means_what_an_administrator_expects(
    tmp_path: Path, pattern: str, path: str, wanted: bool
) -> None:
    write_tree(tmp_path, {path: b""})

    chosen = {item.path for item in matching(Linux().items(tmp_path), [pattern])}

    assert (path in chosen) is wanted


def test_the_folders_above_a_match_come_with_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/b/c.ini": b"", "a/other": b"", "z": b""})

    chosen = [item.path for item in matching(Linux().items(tmp_path), ["a/b/*.ini"])]

    assert chosen == ["a", "a/b", "a/b/c.ini"]


def test_links_are_seen_as_links_and_not_followed(tmp_path: Path) -> None:
    write_tree(tmp_path / "outside", {"secret": b"x" * 100})
    (tmp_path / "app").mkdir()
    (tmp_path / "app/link").symlink_to(tmp_path / "outside")

    found = Linux().items(tmp_path / "app")

    assert [(item.path, item.is_link) for item in found] == [("link", True)]
    assert total_bytes(found) == 0


def test_sockets_and_pipes_are_no_part_of_an_app(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

        assert Linux().items(tmp_path) == []


def _write_random(folder: Path, files: dict[str, tuple[bytes, int, int]]) -> None:
    for path, (content, mtime, mode) in files.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError:
            continue  # a file where another path wants a folder: no such tree exists
        target.chmod(mode)
        os.utime(target, ns=(mtime, mtime))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(_FILES, _FILES)
def test_whatever_lies_in_a_kept_folder_arrives_as_it_was(
    mine: dict[str, tuple[bytes, int, int]], theirs: dict[str, tuple[bytes, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        _write_random(bench.app / "prefs", mine)
        before = snapshot(bench.app / "prefs")
        bench.ship(bench.release | {f"other/{i}": c for i, (c, *_) in enumerate(theirs.values())})

        stage(bench.work(StepName.STAGE))
        apply_release(bench.work(StepName.APPLY_RELEASE))

        after = snapshot(bench.app / "prefs")
        assert {path: after[path] for path in before} == before
        assert set(after) - set(before) <= {"default.ini.new"}
