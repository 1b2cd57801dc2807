"""A release on its way to every host at once, beside what an admin would set up for that.

Roundsman's is `roundsman release stage`: each agent fetches, verifies, unpacks and syncs. The
rival is nginx at the same seat, with the same key over TLS 1.3, and on each host curl and
sha256sum; it neither unpacks nor syncs, so a second rival does that too.
"""

import random
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.nginx import nginx_config
from tests.lan.app import APP
from tests.lan.box import Host
from tests.lan.office import LanOffice
from tests.lan.race.ground import BASE, at_once
from tests.until import until

_MEGA = 10**6
_PORT = 8443
_SECONDS = 600.0
_FETCH = "curl --silent --fail --insecure --tlsv1.3 --output /var/tmp/package.zip {url} && "
_FETCH += "sha256sum /var/tmp/package.zip"
_UNPACK = " && unzip -q /var/tmp/package.zip -d /var/tmp/package && sync -f /var/tmp"
_CLEAR = "rm -rf /var/tmp/package /var/tmp/package.zip"


@dataclass(frozen=True, slots=True)
class Sent:
    """What it took, in seconds, from the order until the last host had it."""

    ours: float
    rival: float
    rival_unpacked: float


def send(office: LanOffice, hosts: Sequence[Host], megabytes: int) -> Sent:
    """Have so much sent to these hosts, by one after the other."""
    file, version = _package(megabytes), f"9.{megabytes}"
    office.cli("release", "add", APP, version, str(file), "--role", "any")
    office.cli("release", "sign", "--yes")
    with _nginx(office, file) as url:
        rivals = [_fetched(hosts, _FETCH.format(url=url) + more) for more in ("", _UNPACK)]
    return Sent(_staged(office, len(hosts), version), *rivals)


def _package(megabytes: int) -> Path:
    file, dice = BASE / f"{megabytes}.zip", random.Random(megabytes)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number in range(megabytes):
            archive.writestr(f"lib/part-{number}.bin", dice.randbytes(_MEGA))
    return file


def _staged(office: LanOffice, count: int, version: str) -> float:
    """Return the seconds from the order to the last host that is ready, by the store's times."""
    key = office.cli("release", "stage", APP, version, "--slots", str(count))["id"]
    rows = "SELECT * FROM staging WHERE id = ?"
    until(lambda: office.ledger.rows(rows, key)[0]["ended"], _SECONDS, f"{version} is staged")
    (row,) = office.ledger.rows(rows, key)
    assert row["state"] == "done", row
    hosts = office.ledger.rows("SELECT since FROM staged WHERE staging = ?", row["id"])
    return float(max(host["since"] for host in hosts) - row["made"])


def _fetched(hosts: Sequence[Host], command: str) -> float:
    begun = time.monotonic()
    at_once(hosts, lambda host: host.run("sh", "-c", command, seconds=_SECONDS))
    seconds = time.monotonic() - begun
    at_once(hosts, lambda host: host.run("sh", "-c", _CLEAR))
    return seconds


@contextmanager
def _nginx(office: LanOffice, file: Path) -> Iterator[str]:
    """Have nginx at the seat serve one file; yield where."""
    folder, seat = BASE / "nginx", office.box.seat
    folder.mkdir(exist_ok=True)
    keys = office.folder / "coordinator" / "ca"
    pair = (keys / "coordinator.pem", keys / "coordinator-key.pem")
    config = folder / "nginx.conf"
    config.write_text(nginx_config(folder, f"{seat.ip}:{_PORT}", pair, file.parent), "utf-8")
    server = seat.spawn("nginx", "-c", str(config), "-p", str(folder), log=folder / "log")
    url = f"https://{seat.ip}:{_PORT}/{file.name}"
    head = ("curl", "--silent", "--fail", "--insecure", "--head", url)
    try:
        until(lambda: seat.run(*head, check=False).returncode == 0, 10, "nginx answers")
        yield url
    finally:
        server.terminate()
        server.wait()
