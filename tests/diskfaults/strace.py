"""Counts a thread's file system calls, and has the nth of one name fail or kill.

`when=N` counts per name and per thread, from the moment strace is attached: so it is attached
to one thread, which waits at its gate, and each fault must show in the log that it fired.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CALL = re.compile(r"^([a-z0-9_]+)\((.*)$")
_BELOW = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]+)"')
_SECONDS = 20.0
CHANGING = (
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "fsync",
    "fdatasync",
    "sync",
    "syncfs",
    "write",
    "writev",
    "pwrite64",
    "copy_file_range",
    "sendfile",
    "ftruncate",
    "truncate",
    "fallocate",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utimensat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "fremovexattr",
    "ioctl",
)
LOOKING = (
    "read",
    "pread64",
    "getdents64",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "readlink",
    "readlinkat",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "access",
    "faccessat",
    "faccessat2",
)
RENAMING = ("rename", "renameat", "renameat2")
OPENING = ("openat", "openat2")
NAMES = (*OPENING, *CHANGING, *LOOKING)
KILL = "KILL"


@dataclass(frozen=True, slots=True)
class Call:
    """The `number`th call of `name` of one thread, and what it was given."""

    name: str
    number: int
    text: str

    @property
    def changes(self) -> bool:
        """True when it may change what is on the disk."""
        if self.name in OPENING:
            return "O_CREAT" in self.text or "O_TRUNC" in self.text
        if self.name == "ioctl":
            return "FICLONE" in self.text
        return self.name in CHANGING

    @property
    def opens_to_write(self) -> bool:
        return self.name in OPENING and ("O_WRONLY" in self.text or "O_RDWR" in self.text)

    @property
    def approaches(self) -> bool:
        """True for the opening of a folder, so as to do something in it by the next call."""
        flags = ("O_DIRECTORY", "O_NOFOLLOW")
        return self.name in OPENING and all(flag in self.text for flag in flags)


def _with_paths(name: str, text: str) -> str:
    """Have a name in an open folder, `7</a>, "b"`, be the path that is meant, `"/a/b"`."""
    if name not in OPENING and not name.endswith(("at", "at2", "statx")):
        return text
    return _BELOW.sub(lambda found: f'"{Path(found[1], found[2])}"', text)


def calls_in(log: str) -> list[Call]:
    """The calls of one thread in a log written with `-y`."""
    counted: dict[str, int] = {}
    found = []
    for line in log.splitlines():
        matched = _CALL.match(line)
        if matched and matched[1] in NAMES:
            counted[matched[1]] = counted.get(matched[1], 0) + 1
            found.append(Call(matched[1], counted[matched[1]], _with_paths(*matched.groups())))
    return found


class Tracer:
    """One strace, attached to one thread."""

    def __init__(self, log: Path, names: str, *inject: str) -> None:
        self._log = log
        self._options = ["strace", "-y", "-s", "400", "-o", str(log), "-e", f"trace={names}"]
        for what in inject:
            self._options += ["-e", f"inject={what}"]
        self._process: subprocess.Popen[str] | None = None

    def attach(self, thread: int) -> None:
        """Attach; the thread is counted from when this returns."""
        options = [*self._options, "-p", str(thread)]
        self._process = subprocess.Popen(options, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        told = self._process.stderr.readline()
        if "attached" not in told:
            raise RuntimeError(f"strace cannot attach: {told}")

    def end(self) -> str:
        """Let go of the thread, if it is still there; return the log."""
        if self._process is None:
            return ""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate(timeout=_SECONDS)
        self._process = None
        return self._log.read_text(errors="replace")


def counting(log: Path) -> Tracer:
    """Counts only."""
    return Tracer(log, ",".join(f"?{name}" for name in NAMES))


def injecting(log: Path, name: str, when: str, fault: str) -> Tracer:
    """`when` is "3" or, for ever after, "3+"; `fault` is KILL or the name of an error."""
    what = f"signal={KILL}" if fault == KILL else f"error={fault}"
    return Tracer(log, name, f"{name}:{what}:when={when}")


def fired(log: str, fault: str) -> bool:
    """True when the log shows that the fault was put in."""
    return "killed by SIGKILL" in log if fault == KILL else "(INJECTED)" in log
