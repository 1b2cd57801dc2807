"""Services of a Linux host, through systemctl.

A stopped service must stay stopped: through its own restart, a socket, another unit, and a
reboot in the middle of a rollout. Masking cannot do that: it fails for units in
/etc/systemd/system, and `--runtime` does not outlive a reboot. So a drop-in is added with a
condition: that a mark beside it is not there. `stop` puts the mark, `start` takes it away.
Whether the unit is enabled, disabled or masked is never touched, so it is afterwards exactly as
it was.

For the drop-in systemd reads all its units anew, which takes longer than a stop or a start: it
is done ahead (`prepare`), while people work, and undone when they work again (`leave`).
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from agent.platforms.base import Process

UNITS = Path("/etc/systemd/system")
_DROP_IN, _MARK = "50-roundsman.conf", "roundsman-closed"
_CLOSED = """# Put here by roundsman-agent: with its mark beside it, the service stays closed.
[Unit]
ConditionPathExists=!{mark}
"""
_SECONDS = 120.0


class Systemd:
    """The `ServiceControl` of Linux."""

    def __init__(self, process_of: Callable[[int], Process | None], units: Path = UNITS) -> None:
        """Find a main process with `process_of`; keep drop-ins below `units`."""
        self._process_of = process_of
        self._units = units
        self._main: dict[str, Process] = {}

    def main_process(self, unit: str) -> Process | None:
        """Return the main process of an active unit; as long as one lives it stays that."""
        before = self._main.pop(unit, None)
        now = self._process_of(before.pid) if before else None
        main = now if before and now and now.started == before.started else self._asked(unit)
        if main is not None:
            self._main[unit] = main
        return main

    def _asked(self, unit: str) -> Process | None:
        about = _shown(unit, "ActiveState", "MainPID")
        pid = int(about.get("MainPID") or 0)
        if about.get("ActiveState") != "active" or pid == 0:
            return None
        return self._process_of(pid)

    def prepare(self, unit: str) -> None:
        """Have systemd know by what the unit is kept stopped. Raises `OSError`."""
        folder = self._folder(unit)
        drop_in = folder / _DROP_IN
        if not drop_in.exists():
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)  # whatever the umask: systemd warns of what is hidden
            _write(drop_in, _CLOSED.format(mark=folder / _MARK))
        if not _is_known(unit, drop_in):  # a crash may have come before that
            _systemctl("daemon-reload")

    def stop(self, unit: str) -> None:
        """Stop the unit and keep it stopped, across reboots too. Raises `OSError`."""
        self.prepare(unit)
        mark = self._folder(unit) / _MARK
        if not mark.exists():
            _write(mark, "")
        _systemctl("stop", "--", unit)

    def free(self, unit: str) -> None:
        """Have the unit free to be started by others again. Raises `OSError`."""
        (self._folder(unit) / _MARK).unlink(missing_ok=True)

    def start(self, unit: str) -> None:
        """Start the unit, free to be started by others again. Raises `OSError`."""
        self.free(unit)
        _systemctl("start", "--", unit)

    def leave(self, unit: str) -> None:
        """Have nothing left of the rest, unless the unit is kept stopped. Raises `OSError`."""
        folder = self._folder(unit)
        if (folder / _MARK).exists():
            return
        drop_in = folder / _DROP_IN
        drop_in.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if _is_known(unit, drop_in):
            _systemctl("daemon-reload")

    def _folder(self, unit: str) -> Path:
        name = unit if "." in unit else f"{unit}.service"
        return self._units / f"{name}.d"


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fchmod(out.fileno(), 0o644)
        os.fsync(out.fileno())
    draft.replace(file)


def _is_known(unit: str, drop_in: Path) -> bool:
    """True when systemd has read this drop-in; it may be on the disk no more."""
    return str(drop_in) in _shown(unit, "DropInPaths").get("DropInPaths", "").split()


def _shown(unit: str, *properties: str) -> dict[str, str]:
    said = _systemctl("show", f"--property={','.join(properties)}", "--", unit)
    return dict(line.partition("=")[::2] for line in said.splitlines())


def _systemctl(*words: str) -> str:
    try:
        answer = subprocess.run(
            ["systemctl", "--no-ask-password", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise OSError("cannot ask systemd: this host has no systemctl") from None
    except subprocess.TimeoutExpired:
        raise OSError(f"cannot systemctl {words[0]} {words[-1]}: no end after 120 s") from None
    if answer.returncode != 0:
        why = answer.stderr.strip() or f"exit code {answer.returncode}"
        raise OSError(f"cannot systemctl {words[0]} {words[-1]}: {why}")
    return answer.stdout
