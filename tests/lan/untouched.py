"""An office in which a rollout has ended: whatever strangers do now, nothing may be changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.ledger import cordon_of, fence_of
from tests.lan.box import Box
from tests.lan.office import LanOffice


@contextmanager
def untouched(folder: Path) -> Iterator[LanOffice]:
    """Yield it; afterwards every host stands as it stood, and all that was promised held."""
    with Box(3) as box, LanOffice(box, folder) as office:
        assert office.end(office.start()) == "done"
        before = stand(office)
        yield office
        assert stand(office) == before
        assert office.violations() == []


def stand(office: LanOffice) -> list[object]:
    """Return how every host stands, as its own disk says."""
    stations = list(office.stations.values())
    cordons = [cordon_of(s.state) for s in stations]
    modes = [cordon["mode"] for cordon in cordons if cordon]
    opened = [s.lines() for s in stations]
    return [[s.version(), fence_of(s.state), s.folder.stat().st_ino] for s in stations] + [
        modes,
        opened,
    ]
