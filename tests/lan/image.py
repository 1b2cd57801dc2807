"""The file system that all workstations begin with: Debian 12 with systemd, built once."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.lan.settings import IMAGES

_SUITE = "bookworm"
_PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,iproute2,iputils-ping,procps,"
    "unzip,zip,curl,nftables,rsync"
)
_USERS = ("alice", "bob")
_MASKED = (
    # what makes no sense in a box, or only slows the boot; logind is wanted: sessions are real
    "systemd-resolved.service",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "console-getty.service",
    "getty.target",
)
_FILES = {
    "etc/systemd/journald.conf.d/lan.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n",
    "etc/ssh/sshd_config.d/lan.conf": "UseDNS no\nMaxStartups 200\nMaxSessions 100\n",
    "etc/dpkg/dpkg.cfg.d/lan": "force-unsafe-io\n",
}
_WITHOUT = ("man/*", "doc/*", "locale/*")


def image() -> Path:
    """Return the folder of the image, built now if this recipe never was; 20 to 40 seconds."""
    folder = IMAGES / _recipe()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (IMAGES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(folder.with_suffix(".new")).rename(folder)
    return folder


def _recipe() -> str:
    everything = repr((_SUITE, _PACKAGES, _USERS, _MASKED, _FILES, _WITHOUT))
    return hashlib.sha256(everything.encode()).hexdigest()[:12]


def _build(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    _unpack(folder)
    units = folder / "etc/systemd/system"
    for unit in _MASKED:
        (units / unit).symlink_to("/dev/null")
    target = units / "default.target"
    target.unlink(missing_ok=True)
    target.symlink_to("/lib/systemd/system/multi-user.target")
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for user in _USERS:
        _do("chroot", str(folder), "useradd", "--create-home", "--shell=/bin/bash", user)
    return folder


def _unpack(folder: Path) -> None:
    without = [f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _WITHOUT]
    options = ["--quiet", "--mode=root", "--variant=minbase", f"--include={_PACKAGES}", *without]
    _do("mmdebstrap", *options, _SUITE, str(folder))


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"the image of the workstations cannot be built: {command[0]} says: "
            f"{done.stderr[-2000:].strip()}\nthe package mirror must be reachable"
        )
