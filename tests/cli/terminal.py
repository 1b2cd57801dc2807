"""Types commands as a person does, and keeps what was said."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.cli.main import run


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said to a program."""
        return json.loads(self.out)


class Terminal:
    """`terminal("fleet list")` types that, in this process."""

    def __call__(self, words: str, *more: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*words.split(), *more])
        return Said(code, out.getvalue(), err.getvalue())


def typed(folder: Path, text: str | None, *words: str) -> subprocess.CompletedProcess[str]:
    """Type words at a process of its own, without a terminal, and `text` at what it asks."""
    environment = os.environ | {
        "ROUNDSMAN_HOME": str(folder / "home"),
        "ROUNDSMAN_CONFIG": str(folder / "operator"),
    }
    environment.pop("ROUNDSMAN_PASSPHRASE", None)
    return subprocess.run(
        [sys.executable, "-m", "coordinator.cli", *words],
        env=environment,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        start_new_session=True,
    )
