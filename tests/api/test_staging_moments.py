"""Workstations that a release is sent to do not all begin at one moment."""

from pathlib import Path

import pytest

from coordinator.api.asks import PackageAsk, ProfileAsk, StageAsk
from tests.api.real import APP, PROFILE, RealOffice, make_zip

HOSTS = 30


@pytest.mark.parametrize("at", ["22:00", None])
def test_of_thirty_hosts_most_begin_at_a_moment_of_their_own(
    office: RealOffice, tmp_path: Path, at: str | None
) -> None:
    office.add_hosts(HOSTS)
    ask = StageAsk(app=APP, version="1.1", at=at)
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        client.add_package(PackageAsk(app=APP, version="1.1"), make_zip(tmp_path / "r.zip"))
        office.sign()
        begins = [host.next_try for host in client.stage(ask).hosts]
    assert len(begins) == HOSTS
    assert len(set(begins)) > HOSTS * 2 // 3
