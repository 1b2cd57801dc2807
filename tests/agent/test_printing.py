"""Print jobs are read from CUPS where there is one, and never wait for a printer."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from agent.platforms.base import PrintJob
from agent.platforms.linux import Linux

_STANDIN = Path(__file__).parent / "standin_lpstat.py"
_JOBS = b"""\
Laser-41                marie            10240   Sat Nov 21 12:00:01 2026
Etage_2-7               paul             2048    Sat Nov 21 12:00:02 2026
"""


@pytest.fixture
def cups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stand-in for CUPS that is found on PATH."""
    shutil.copy(_STANDIN, tmp_path / "standin.py")
    program = tmp_path / "lpstat"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/standin.py "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_who_prints_is_told(cups: Path) -> None:
    (cups / "jobs").write_bytes(_JOBS)

    assert list(Linux().print_jobs()) == [
        PrintJob("marie", "Laser-41"),
        PrintJob("paul", "Etage_2-7"),
    ]


@pytest.mark.parametrize(
    "said", [b"", b"\n\n", b"no destinations added.\n", b"\xff\xfe x y\n", b"Laser-1 marie\n"]
)
def test_what_is_no_list_of_jobs_is_no_job(cups: Path, said: bytes) -> None:
    (cups / "jobs").write_bytes(said)

    assert list(Linux().print_jobs()) == []


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
def test_a_printer_that_does_not_answer_is_not_waited_for(cups: Path, trouble: str) -> None:
    (cups / "jobs").write_bytes(_JOBS)
    (cups / trouble).touch()

    assert list(Linux().print_jobs()) == []


def test_a_host_without_printers_has_no_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert list(Linux().print_jobs()) == []


def test_a_users_own_folder_is_the_one_the_system_names() -> None:
    assert Linux().home("root") == Path("/root")
    assert Linux().home("no-such-user") is None
