"""From a vendor's feed to an updated workstation: found, fetched, signed, put in place at once."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.cli.demo_office import APP, OLD
from coordinator.complaint import Complaint
from coordinator.settings import read_settings, write_settings
from coordinator.standin.inspector import judge_disk, note_host
from coordinator.standin.make_release import release_files, write_zip
from coordinator.walk.states import RolloutState
from tests.faults.office import WARES, FaultOffice, office, opened
from tests.releases.vendor import a_feed, a_release
from tests.trust.test_mirrors import Asked, MirrorServer, honest
from tests.until import until

NEW = "1.1"


def _offered(made: FaultOffice) -> Path:
    """Have the vendor's share hold the new release, and the coordinator know of the share."""
    share, file = made.base / "vendor", made.release(NEW)
    write_zip(file, release_files(NEW, WARES.size))
    share.mkdir()
    shutil.copy(file, share / f"my-app-{NEW}.zip")
    feed = a_feed(app=APP, releases=[a_release(NEW, file.read_bytes())])
    (share / "feed.json").write_text(json.dumps(feed))
    made.kill_coordinator()
    settings = read_settings(made.base / "coordinator")
    write_settings(replace(settings, feeds={APP: str(share)}))
    made.start_coordinator()
    made.wait_linked()
    return share


def _fetched_and_signed(made: FaultOffice, share: Path) -> None:
    """Take the release in as an operator does; from then on the vendor is away."""
    (found,) = made.roundsman("release", "find", APP)
    assert [(r["version"], r["released"]) for r in found["releases"]] == [(NEW, "2026-11-01")]
    assert made.roundsman("release", "add", APP, NEW)["state"] == "done"
    with pytest.raises(Complaint, match="signed"):
        made.start_rollout(NEW)
    made.roundsman("release", "sign", "--yes")
    shutil.rmtree(share)


def _has_mirror(made: FaultOffice, let: threading.Event) -> MirrorServer:
    """Have a copy of what the coordinator serves elsewhere, and the agent look there first.

    It gives nothing until it is let; the test lets it before the agent gives it up.
    """

    def held(asked: Asked, content: bytes) -> None:
        let.wait(60)
        honest(asked, content)

    copy, (host,) = made.base / "mirror", made.hosts
    shutil.copytree(made.base / "coordinator" / "packages", copy / "packages")
    server = MirrorServer(copy, held)
    made.kill_agent(host)
    with (host.state / "agent.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[mirrors]\nurls = ["{server.url}"]\n')
    made.start_agent(host)
    made.wait_linked()
    return server


@pytest.mark.timeout(300)
def test_a_release_goes_from_its_feed_to_a_workstation_that_works_on_until_it_has_come(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=1) as made:
        made.begin()
        (host,) = made.hosts
        _fetched_and_signed(made, _offered(made))
        before = note_host(host.folder)
        let = threading.Event()
        server = _has_mirror(made, let)
        try:
            rollout = made.start_rollout(NEW)
            with made.client() as client:
                until(lambda: server.heard, 60, "the download is under way")
                app = opened(host, host.open_app("marie"))
                assert client.rollout(rollout).state is RolloutState.PREPARING
                assert app.poll() is None
                let.set()
                until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
                assert client.rollout(rollout).state is RolloutState.DONE
                assert app.poll() is not None
        finally:
            let.set()
            server.close()
        assert any(path.startswith("/copy/packages/") for path, _ in server.heard)
        about = {"name": host.name, "folder": str(host.folder), "expected": NEW}
        assert list(judge_disk(about, before, made.release(NEW))) == []
        assert list(judge_disk(about | {"expected": OLD}, before, made.release(OLD)))
