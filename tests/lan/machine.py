"""One workstation's hardware: a disk, and systemd-nspawn with systemd as PID 1 that runs on it."""

import subprocess
from pathlib import Path

from tests.lan.commands import do
from tests.lan.remains import CGROUPS, group, kill_group
from tests.lan.settings import HOSTS, namespace
from tests.until import until

# A private mount namespace with a plain cgroup2 tree: the same on a machine that mounts v1 or v2.
_START = """mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p "/sys/fs/cgroup/$1" &&
echo $$ > "/sys/fs/cgroup/$1/cgroup.procs" && shift && exec "$@" """
_SETTINGS = "--quiet --register=no --keep-unit --boot --resolv-conf=off --timezone=off"
_CONSOLE = "--link-journal=no --console=pipe"
_BOOT_SECONDS = 90


class Disk:
    """A host's disk: the image, and over it what the host has written."""

    def __init__(self, name: str, megabytes: int | None = None) -> None:
        self.folder = HOSTS / name
        self.root = self.folder / "root"
        self._own = self.folder / "disk"
        self._megabytes = megabytes

    @property
    def written(self) -> Path:
        """What the host has changed; nobody may write there while it is mounted."""
        return self._own / "upper"

    def mount(self, image: Path, copied: Path | None = None) -> None:
        """Have the disk at `root`, empty or with all that another host has written."""
        for folder in (self.root, self._own):
            folder.mkdir(parents=True)
        if self._megabytes is not None:
            self._make_small()
        (self._own / "work").mkdir()
        if copied is None:
            self.written.mkdir()
        else:
            do("cp", "-a", "--sparse=always", str(copied), str(self.written))
        layers = f"lowerdir={image},upperdir={self.written},workdir={self._own / 'work'}"
        do("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))

    def _make_small(self) -> None:
        file = self.folder / "disk.img"
        with file.open("wb") as disk:
            disk.truncate(self._megabytes * 2**20 if self._megabytes else 0)
        do("mkfs.ext4", "-q", "-m", "0", str(file))
        do("mount", "-o", "loop", str(file), str(self._own))


class Machine:
    """What is switched on and off."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.name = name
        self.disk = disk
        self.leader = 0
        self.proc = disk.folder / "proc"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._point_to("nowhere")

    @property
    def is_on(self) -> bool:
        """True from the boot to the end of its PID 1, however it ended."""
        return self.leader > 0 and self._nspawn is not None and self._nspawn.poll() is None

    def begin_boot(self) -> None:
        """Switch it on; its network namespace is there already."""
        nspawn = ["systemd-nspawn", *_SETTINGS.split(), *_CONSOLE.split()]
        nspawn += [f"--directory={self.disk.root}", f"--machine={self.name}"]
        nspawn += [f"--network-namespace-path=/run/netns/{namespace(self.name)}"]
        alone = ["unshare", "--mount", "--propagation=private", "bash", "-c", _START, "_"]
        with (self.disk.folder / "console.log").open("ab") as console:
            self._nspawn = subprocess.Popen(
                [*alone, group(self.name), *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def await_boot(self) -> None:
        """Return once systemd says that it runs; raise with the console's words if it does not."""
        until(self._find_leader, _BOOT_SECONDS, f"{self.name} has a PID 1")
        until(self._runs, _BOOT_SECONDS, f"systemd of {self.name} answers")
        self._point_to(f"/proc/{self.leader}/root/proc")

    def kill(self) -> None:
        """End all that is in it at one blow."""
        kill_group(group(self.name))
        if self._nspawn is not None:
            self._nspawn.wait()
        self.leader = 0
        self._point_to("nowhere")

    def inside(self, *command: str, user: str = "root") -> list[str]:
        """Return the command that runs this one inside, as that user, without the network."""
        if not self.is_on:
            raise RuntimeError(
                f"{self.name} cannot run {command[0]}: it is off; power it on first"
            )
        root = f"/proc/{self.leader}/root"
        enter = ["nsenter", f"--target={self.leader}", "-m", "-u", "-i", "-n", "-p", "-C"]
        who = [] if user == "root" else ["runuser", "-u", user, "--"]
        return [*enter, f"--root={root}", f"--wd={root}", "--", *who, *command]

    def processes(self) -> list[int]:
        """Return the pids of all that runs in it, as this machine numbers them."""
        if not self.is_on:
            return []
        mine = _pid_namespace(self.leader)
        pids = (int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal())
        return sorted(pid for pid in pids if _pid_namespace(pid) == mine)

    def _find_leader(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            said = (self.disk.folder / "console.log").read_text(errors="replace")
            raise RuntimeError(f"{self.name} cannot boot: systemd-nspawn says: {said[-2000:]}")
        groups = CGROUPS / group(self.name)
        for file in groups.rglob("cgroup.procs"):
            for pid in file.read_text().split():
                if _is_first(pid):
                    self.leader = int(pid)
                    return True
        return False

    def _runs(self) -> bool:
        command = self.inside("systemctl", "is-system-running", "--wait")
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        return said.stdout.strip() in {"running", "degraded"}

    def _point_to(self, target: str) -> None:
        self.disk.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.proc.with_name("proc.new")
        fresh.symlink_to(target)
        fresh.rename(self.proc)


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _is_first(pid: str) -> bool:
    """True when this is PID 1 of a namespace, and systemd already."""
    try:
        status = Path("/proc", pid, "status").read_text().splitlines()
    except OSError:
        return False
    numbers = next(line for line in status if line.startswith("NSpid:")).split()
    return len(numbers) > 2 and numbers[-1] == "1" and status[0].split()[1] == "systemd"
