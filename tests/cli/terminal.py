"""Types commands as a person does, in this process, and keeps what was said."""

import contextlib
import io
import json
from dataclasses import dataclass
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
    """`terminal("fleet list")` types that."""

    def __call__(self, words: str, *more: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*words.split(), *more])
        return Said(code, out.getvalue(), err.getvalue())
