"""What failed in a crowd is forgiven only when it holds alone, every time."""

from pathlib import Path

import pytest

from tests.again import judged

FAILED = int(pytest.ExitCode.TESTS_FAILED)


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three tests: one that holds, one that fails, one that fails the second time."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "test_some.py").write_text(
        "from pathlib import Path\n"
        "def test_holds(): pass\n"
        "def test_fails(): assert False\n"
        "def test_second():\n"
        "    with Path('count').open('a') as f: f.write('x')\n"
        "    assert len(Path('count').read_text()) != 2\n"
    )
    return tmp_path


def test_what_holds_alone_is_told_and_stops_nobody(
    tests: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert judged(FAILED, ["test_some.py::test_holds"]) == 0
    assert "unsteady: test_some.py::test_holds" in capfd.readouterr().out
    assert "test_holds" in (tests / "build/unsteady.json").read_text()


@pytest.mark.parametrize("name", ["fails", "second"])
def test_what_fails_alone_once_is_broken(tests: Path, name: str) -> None:
    assert judged(FAILED, ["test_some.py::test_holds", f"test_some.py::test_{name}"]) == FAILED
    assert not (tests / "build/unsteady.json").exists()


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        (0, []),
        (FAILED, []),
        (int(pytest.ExitCode.INTERRUPTED), ["test_some.py::test_holds"]),
        (FAILED, ["test_some.py::test_holds"] * 4),
    ],
)
def test_nothing_else_is_forgiven(tests: Path, code: int, failed: list[str]) -> None:
    assert judged(code, failed) == code
    assert not (tests / "count").exists()
