"""On a real agent: an older release is put in place where that was signed, and only there."""

from pathlib import Path

import pytest

from coordinator.api.asks import PackageAsk
from coordinator.cli.demo_office import APP
from coordinator.complaint import Blocked
from coordinator.standin.inspector import judge_disk, note_host
from coordinator.standin.make_release import release_files, write_zip
from coordinator.walk.states import RolloutState
from tests.faults.office import WARES, FaultOffice, office
from tests.until import until

REFUSED, ALLOWED = "0.9", "0.8"


def _allow(made: FaultOffice) -> None:
    """Have an older release signed that may be put over a newer one."""
    write_zip(made.release(ALLOWED), release_files(ALLOWED, WARES.size))
    ask = PackageAsk(app=APP, version=ALLOWED, terms='{"downgrade": true}')
    with made.client() as client:
        client.add_package(ask, made.release(ALLOWED))
    made.roundsman("release", "sign", "--yes")


@pytest.mark.timeout(300)
def test_of_two_older_releases_only_the_one_that_is_signed_for_it_is_installed(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=1) as made:
        made.begin(REFUSED)
        _allow(made)
        (host,) = made.hosts
        before = note_host(host.folder)
        with pytest.raises(Blocked, match=rf"PC-01.*1\.0.*{REFUSED}"):
            made.start_rollout(REFUSED)
        rollout = made.start_rollout(ALLOWED)
        with made.client() as client:
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.DONE
        about = {"name": host.name, "folder": str(host.folder), "expected": ALLOWED}
        assert list(judge_disk(about, before, made.release(ALLOWED))) == []
