"""The ground of the race: the app on every host, put back as it was before each contender starts.

The new release lies on every host as a zip, so that nobody who races fetches anything in it; what
fetching takes is measured by itself (`distribution.py`).
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from coordinator.standin.make_release import Size
from tests.lan.app import CLIENTS, NEW
from tests.lan.box import Host
from tests.lan.race.judge import Found, judge, look
from tests.lan.settings import FOLDER

SIZE = Size(libraries=246, half_a_library=101_626)
"""A release of 250 files, 50 MB."""
BASE = FOLDER / "race"
CLOSE_CLIENTS = ("systemctl", "stop", *CLIENTS)
OPEN_CLIENTS = ("systemctl", "start", *CLIENTS)
_STOP = f"systemctl stop {' '.join(CLIENTS)} lobapp"
_SET_UP = f"""set -eu
{_STOP}
cp -a /opt/lob/lobapp /srv/pristine
mkdir /srv/pkg
"""
_PUT_BACK = f"""set -eu
{_STOP}
cd /opt/lob
rm -rf lobapp lobapp_* /var/backups/lob
cp -a /srv/pristine lobapp
systemctl start lobapp
systemctl start {" ".join(CLIENTS)}
until curl -sf -o /dev/null http://127.0.0.1:8080/; do sleep 0.05; done
sync -f /opt/lob
"""
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Ground:
    """The hosts that a race is run on, and the release they are to have in the end."""

    hosts: Sequence[Host]
    release: Path

    def set_up(self) -> None:
        """Keep a copy of the app as it is now, and put the new release beside it."""

        def keep(host: Host) -> None:
            host.run("sh", "-s", text=_SET_UP, seconds=_SECONDS)
            shutil.copy(self.release, host.root / f"srv/pkg/lobapp-{NEW}.zip")

        at_once(self.hosts, keep)

    def put_back(self) -> dict[str, Found]:
        """Have every host as it was before the race, with everything running; return that."""
        at_once(self.hosts, lambda host: host.run("sh", "-s", text=_PUT_BACK, seconds=_SECONDS))
        return look(self.hosts)

    def complaints(self, before: dict[str, Found]) -> list[str]:
        """Return what is not as it must be after a race, [] when all is well."""
        after = look(self.hosts)
        return [
            f"{name}: {what}"
            for name, found in after.items()
            for what in judge(before[name], found, self.release)
        ]


def at_once(hosts: Iterable[Host], act: Callable[[Host], object]) -> None:
    """Do something with every host at the same time; raises what any of them raised."""
    hosts = list(hosts)
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(act, hosts))
