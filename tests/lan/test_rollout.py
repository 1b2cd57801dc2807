"""A whole rollout over a LAN, agents as services of systemd, judged from inside every host."""

from pathlib import Path

from coordinator.fleet.enrolment_book import Approval
from tests.lan.box import Box
from tests.lan.office import LanOffice, Terms


def test_five_hosts_are_updated_and_all_that_was_promised_held(tmp_path: Path) -> None:
    with Box(5) as box, LanOffice(box, tmp_path, terms=Terms(Approval.OPERATOR)) as office:
        rollout = office.start()
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
