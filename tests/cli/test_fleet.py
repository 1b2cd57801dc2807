"""`roundsman fleet` at a terminal: several workstations let in at once."""

from pathlib import Path

import pytest

from agent.enrol import EnrolProblem, enrol
from coordinator.api.asks import TokenAsk
from coordinator.fleet.enrolment_book import Approval
from tests.api.real import RealOffice
from tests.cli.terminal import Terminal


def _wait_for_approval(office: RealOffice, folder: Path, *names: str) -> None:
    ask = TokenAsk(group="office", uses=len(names), approval=Approval.OPERATOR)
    with office.client() as client:
        token = client.token(ask).token
    for name in names:
        with pytest.raises(EnrolProblem, match="waits for approval"):
            enrol(token, name, folder / name, lambda _seconds: False)


def test_several_that_wait_are_let_in_at_once(
    office: RealOffice, tmp_path: Path, terminal: Terminal
) -> None:
    _wait_for_approval(office, tmp_path, "PC-07", "PC-08", "PC-09")
    said = terminal("fleet approve PC-07 PC-08")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == ["PC-07", "PC-08"]
    assert terminal("fleet approve --json PC-09").json["name"] == "PC-09"


def test_those_before_one_that_is_not_known_are_in_and_it_is_named(
    office: RealOffice, tmp_path: Path, terminal: Terminal
) -> None:
    _wait_for_approval(office, tmp_path, "PC-07", "PC-08")
    said = terminal("fleet approve PC-07 PC-99 PC-08")
    assert said.code == 2
    assert "PC-07 is in the fleet" in said.out
    assert "PC-99" in said.err
