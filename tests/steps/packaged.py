"""A bench whose app is a real Debian package, installed below the test's own folder."""

import fcntl
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from agent.steps.apply import dpkg
from agent.steps.apply_release import apply_release
from agent.steps.back_up import back_up
from agent.steps.stage import stage
from agent.wire.contract import StepName
from agent.wire.profile import Apply, ApplyKind, VersionKind, VersionReader
from tests.steps.bench import Bench, SmallWork, release, write_tree

_STEP = StepName.APPLY_RELEASE
_LOCK = Path("/tmp/roundsman-test-dpkg.lock")


class PackagedHost:
    """A bench whose app is an installed Debian package of its own name."""

    def __init__(self, root: Path) -> None:
        self.name = f"roundsman-test-{secrets.token_hex(4)}"
        self.root = root
        self.bench = Bench(root)
        self.conffile = root / "etc" / "app.conf"
        self.bench.profile = replace(
            self.bench.profile,
            apply=Apply(ApplyKind.PACKAGE, package=self.name, limit_seconds=60.0),
            app=replace(
                self.bench.profile.app, version=VersionReader(VersionKind.DPKG, self.name)
            ),
            service_manager=replace(self.bench.profile.service_manager, version=None),
        )
        dpkg_tool("--install", str(self.deb("1.0", conf=b"shipped with 1.0")))
        self.conffile.write_bytes(b"changed by the administrator")
        (self.bench.app / "lib/code.bin").chmod(0o640)

    def deb(
        self, version: str, *, conf: bytes = b"", scripts: Mapping[str, str] = {}, name: str = ""
    ) -> Path:
        """Build a package of this app."""
        tree = self.root / "build" / secrets.token_hex(4)
        write_tree(tree / str(self.bench.app)[1:], release(version))
        if conf:
            write_tree(tree / str(self.conffile.parent)[1:], {"app.conf": conf})
        about = f"Package: {name or self.name}\nVersion: {version}\nArchitecture: all\n"
        about += "Maintainer: nobody <nobody@localhost>\nDescription: a test\n of Roundsman\n"
        write_tree(tree / "DEBIAN", {"control": about.encode()})
        if conf:
            write_tree(tree / "DEBIAN", {"conffiles": f"{self.conffile}\n".encode()})
        for script, code in scripts.items():
            write_tree(tree / "DEBIAN", {script: f"#!/bin/sh\nset -e\n{code}\n".encode()})
            (tree / "DEBIAN" / script).chmod(0o755)
        file = self.root / f"{tree.name}.deb"
        subprocess.run(["dpkg-deb", "-Znone", "-b", tree, file], check=True, capture_output=True)
        return file

    def ship(self, *debs: Path) -> None:
        self.bench.ship({f"client-{n}.deb": deb.read_bytes() for n, deb in enumerate(debs)})

    def ready(self) -> None:
        stage(self.bench.work(StepName.STAGE))
        back_up(self.bench.work(StepName.BACK_UP))

    def applied(self) -> SmallWork:
        self.ready()
        work = self.bench.work(_STEP)
        apply_release(work)
        return work

    def run(self, handler: object) -> SmallWork:
        work = self.bench.work(_STEP)
        handler(work)  # type: ignore[operator]
        return work

    def status(self) -> tuple[str, bool]:
        found = dpkg.installed(self.bench.work(_STEP), self.name)
        return found.version, found.is_whole

    def remove(self) -> None:
        dpkg_tool("--purge", "--force-all", self.name)
        self.bench.close()


def dpkg_tool(*arguments: str) -> None:
    """Have dpkg do something, for real."""
    subprocess.run(["dpkg", *arguments], check=True, capture_output=True)


@contextmanager
def packaged_host(root: Path) -> Iterator[PackagedHost]:
    """A host with the app as a package; the package is gone at the end."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # dpkg serves one at a time
        made = PackagedHost(root)
        yield made
        made.remove()
