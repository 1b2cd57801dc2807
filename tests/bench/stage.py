"""How fast a package reaches workstations, how few bytes of it do, and what memory that takes.

200 MB to one and to twenty agents at once over loopback, beside curl and sha256sum of the same
bytes from nginx over TLS 1.3: each agent is a process of its own that fetches and verifies by
the product's own code, and the coordinator's HTTPS is the product's, in this process, which does
nothing else. What an agent unpacks afterwards is not counted, as it is not for the rival.

The bytes of a delta are those that came over that HTTPS for two wheels of one package, beside
the whole wheel and beside bsdiff4 on the same files. The memory is that of a real agent that
was ordered to fetch an app of 500 MB ahead.
"""

import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.wire.manifest import Manifest, write_manifest
from coordinator.access import read_access
from coordinator.api.asks import StageAsk
from coordinator.api.client import Client
from coordinator.cli.demo_office import APP, NEW, OLD, DemoOffice
from coordinator.cli.demo_workstation import Wares
from coordinator.model import StagingState
from coordinator.releases.patches import Patcher
from coordinator.standin.make_release import Size, copy_release, seed_host, write_folder
from tests.bench.fetcher import FetchSettings
from tests.bench.figure import Figure, ratio, spread
from tests.bench.nginx import Nginx
from tests.bench.office import patiently
from tests.trust.office import Office

_MEGA, _MIB = 10**6, 2**20
_FILES, _FILE = 200, _MEGA
_CROWD, _ROUNDS = 20, 3
_RATIO_LIMIT, _MEMORY_LIMIT = 2.5, 80.0
_DELTA_LIMIT, _BSDIFF_LIMIT = 0.1, 2.0
_PAIR = ("numpy", "2.2.0", "2.2.1")
_SIZE = Size(2000, 125_000)


class Depot:
    """A coordinator's HTTPS, and agents that fetch from it."""

    def __init__(self, base: Path, office: Office) -> None:
        self.base = base
        self.office = office
        self.state, self.host = office.enrol()
        self._number = 0

    def fetchers(self, manifest: Manifest, count: int, app: str = "") -> list[FetchSettings]:
        """Return what so many agents are given, each with a folder of its own."""
        listed = self.base / f"{manifest.content_sha256}.json"
        listed.write_bytes(write_manifest(manifest))
        ticket = self.office.tickets.make(self.host, manifest.content_sha256)
        self._number += 1
        places = [self.base / f"fetch-{self._number}-{n}" for n in range(count)]
        return [
            FetchSettings(
                str(self.state), self.host, self.office.address, ticket, str(listed),
                str(place), app,
            )
            for place in places
        ]  # fmt: skip


@contextlib.contextmanager
def _depot() -> Iterator[Depot]:
    base = Path(tempfile.mkdtemp(prefix="roundsman-bench-"))
    try:
        with Office(base / "office").open() as office:
            yield Depot(base, office)
    finally:
        shutil.rmtree(base)


def speed() -> list[Figure]:
    """Measure 200 MB to one and to twenty agents."""
    with _depot() as depot:
        manifest = _added(depot)
        pair = depot.office.authority.issue_coordinator(depot.base / "nginx")
        content = depot.office.packages.path(manifest.content_sha256)
        assert content is not None
        with Nginx(depot.base / "nginx", pair, content) as rival:
            return [
                figure
                for count in (1, _CROWD)
                for figure in _beside(
                    count,
                    lambda count=count: _fetch(depot, manifest, count)[0],  # type: ignore[misc]
                    lambda count=count: rival.fetched(count),  # type: ignore[misc]
                )
            ]


def _added(depot: Depot) -> Manifest:
    dice, file = random.Random(1), depot.base / "package.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number in range(_FILES):
            archive.writestr(f"lib/part-{number}.bin", dice.randbytes(_FILE))
    return depot.office.add_package(file)[0]


def _beside(count: int, ours: Callable[[], float], rival: Callable[[], float]) -> list[Figure]:
    rounds = [(ours(), rival()) for _ in range(_ROUNDS)]
    taken, rivals = [list(samples) for samples in zip(*rounds, strict=True)]
    name = f"200 MB to {count} agent{'s' if count > 1 else ''}"
    return [
        Figure(name, sorted(taken)[len(taken) // 2], "s", None, spread(taken)),
        ratio(f"{name}, beside curl, nginx and sha256sum", taken, rivals, _RATIO_LIMIT),
    ]


def _fetch(depot: Depot, manifest: Manifest, count: int, app: str = "") -> tuple[float, int]:
    """Have so many agents fetch at once; return the seconds and the bytes of the last."""
    wanted = depot.fetchers(manifest, count, app)
    agents = [_started(settings) for settings in wanted]
    for agent in agents:
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"ready\n"
    begun = time.perf_counter()
    for agent in agents:
        assert agent.stdin is not None
        agent.stdin.write(b"\n")
        agent.stdin.flush()
    said = [agent.communicate()[0] for agent in agents]
    seconds = time.perf_counter() - begun
    assert not any(agent.returncode for agent in agents), "an agent could not fetch"
    for settings in wanted:
        shutil.rmtree(settings.place)
    return seconds, int(said[-1])


def _started(settings: FetchSettings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.fetcher", settings.write()]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def delta() -> list[Figure]:
    """Measure the bytes that a patch release takes: two wheels of one package, from PyPI."""
    try:
        return _delta()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"left out, PyPI is needed for it: {error}\n")
        return []


def _delta() -> list[Figure]:
    with _depot() as depot:
        old, new = (_wheel(depot.base, version) for version in _PAIR[1:])
        depot.office.add_package(old, _PAIR[1])
        manifest = depot.office.add_package(new, _PAIR[2])[0]
        begun = time.perf_counter()
        Patcher(depot.office.packages.blobs).make_missing()
        took = time.perf_counter() - begun
        trees = [depot.base / version for version in _PAIR[1:]]
        for wheel, tree in zip((old, new), trees, strict=True):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(tree)
        came = _fetch(depot, manifest, 1, str(trees[0]))[1]
        rival = _by_bsdiff4(depot.base, trees)
    whole, named = manifest.content_size, " ".join(_PAIR)
    return [
        Figure(f"{named}, whole", whole / 1000, "kB", None, "the wheel"),
        Figure(f"{named}, as a delta", came / 1000, "kB", None, f"patches made in {took:.1f} s"),
        Figure("a delta beside the whole package", came / whole, "times", _DELTA_LIMIT),
        Figure("a delta beside bsdiff4", came / rival, "times", _BSDIFF_LIMIT,
               f"the rival: {rival / 1000:.0f} kB for the same files"),
    ]  # fmt: skip


def _wheel(base: Path, version: str) -> Path:
    folder = base / "wheels" / version
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--disable-pip-version-check", "--dest", str(folder)]
    subprocess.run([*command, f"{_PAIR[0]}=={version}"], check=True)
    return next(folder.glob("*.whl"))


_BSDIFF4 = """
import bz2, pathlib, sys
import bsdiff4
old, new = map(pathlib.Path, sys.argv[1:])
total = 0
for file in (path for path in new.rglob("*") if path.is_file()):
    before, content = old / file.relative_to(new), file.read_bytes()
    known = before.read_bytes() if before.is_file() else b""
    if known != content:
        total += len(bsdiff4.diff(known, content) if known else bz2.compress(content))
print(total)
"""


def _by_bsdiff4(base: Path, trees: list[Path]) -> int:
    """Return how many bytes bsdiff4 makes of the files that differ; it is installed aside."""
    aside = base / "bsdiff4"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(aside), "bsdiff4"]
    subprocess.run(command, check=True)
    program = [sys.executable, "-c", _BSDIFF4, *map(str, trees)]
    said = subprocess.run(program, env={"PYTHONPATH": str(aside)}, capture_output=True, check=True)
    return int(said.stdout)


def memory() -> list[Figure]:
    """Measure a real agent that fetches an app of 500 MB ahead."""
    base = Path(tempfile.mkdtemp(prefix="roundsman-bench-"))
    office = DemoOffice(base, 1, Wares(size=_SIZE))
    try:
        _open(office)
        with Client(read_access(base / "operator")) as client:
            client.stage(StageAsk(app=APP, version=NEW))
            patiently(lambda: client.stagings()[0].state is StagingState.DONE, "it is ready")
        agent = office.hosts[0].agent
        assert agent is not None
        peak = _peak_bytes(agent.pid) / _MIB
    finally:
        office.close()
        shutil.rmtree(base)
    note = "the most since it was started, shared pages too"
    return [Figure("agent that stages 500 MB: memory", peak, "MiB", _MEMORY_LIMIT, note)]


def _open(office: DemoOffice) -> None:
    """Have a coordinator with a release, and a workstation with an agent and the one before."""
    host, old = office.hosts[0], office.release(OLD)
    office.set_up_coordinator()
    office.publish_profile()
    write_folder(OLD, old, _SIZE)
    copy_release(old, host.folder)
    seed_host(host.folder, host.name, host.port, _SIZE)
    office.publish_release(NEW)
    office.enrol_agents()


def _peak_bytes(pid: int) -> int:
    status = (Path("/proc") / str(pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
