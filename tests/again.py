"""A test that failed in a crowd is run again alone: is it broken, or was it only crowded out?

`make test` runs four tests at a time on two processors, `make test-lan` whole offices. One that
fails there and holds three times alone is *unsteady*: it is told, and written to
`build/unsteady.json`, for somebody to mend; a change does not wait for that. More than three that
fail are no accident.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

_FAILED: Final = Path("build/failed.json")
_UNSTEADY: Final = Path("build/unsteady.json")
_MOST: Final = 3
_TIMES: Final = 3


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write down which tests failed, where the whole run is known."""
    reports = [r for kind in ("failed", "error") for r in terminalreporter.getreports(kind)]
    _FAILED.parent.mkdir(exist_ok=True)
    _FAILED.write_text(json.dumps(sorted({report.nodeid for report in reports})))


def judged(code: int, failed: Sequence[str]) -> int:
    """Return what the whole run comes to: its own exit code, or 0 where all hold alone."""
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= _MOST:
        return code
    if not all(_holds(failed) for _ in range(_TIMES)):
        return code
    _UNSTEADY.write_text(json.dumps(failed, indent=1))
    for name in failed:
        sys.stdout.write(f"unsteady: {name} failed beside others, holds {_TIMES} times alone\n")
    return 0


def _holds(tests: Sequence[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    known = json.loads(_FAILED.read_text()) if _FAILED.exists() else []
    sys.exit(judged(int(sys.argv[1]), known))
