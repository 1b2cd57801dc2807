"""A system or a security product that lets nobody change the rights of the app's files."""

import errno
from pathlib import Path

import pytest

from agent.platforms.base import Item, Spot
from agent.steps.table import Refused, Step
from agent.wire.contract import CordonMode, Refusal, StepName
from tests.agent.fakes import FakePlatform, Orders
from tests.agent.rig import Rig
from tests.agent.test_block import MODES, Guarded
from tests.agent.test_cordon import LIFT, SEALED
from tests.until import until


@pytest.fixture
def host(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


class Denying(FakePlatform):
    """A security product that lets nobody change the rights of some files."""

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[str] = set()
        self.asked = 0

    def set_mode(self, spot: Spot, seen: Item, mode: int) -> None:
        if spot.path in self.denied:
            self.asked += 1
            raise PermissionError(errno.EACCES, "Permission denied", str(spot))
        super().set_mode(spot, seen, mode)


@pytest.fixture
def denying(host: Guarded) -> Denying:
    host.platform = platform = Denying()
    return platform


def test_what_the_system_refuses_is_reported_as_that_and_watched_instead(
    host: Guarded, denying: Denying, caplog: pytest.LogCaptureFixture
) -> None:
    denying.denied = {"bin/app"}
    with host.agent() as cordon:
        cordon.apply(SEALED)
        sight = cordon.look()
        assert sight.guarded
        assert sight.detail == (
            f'"{host.bin}/app" cannot be kept from being started: Permission denied'
        )
        assert host.modes() == {"app": 0o755, "manager": 0, "updater": 0}
        relaunched = denying.open(host.app)
        until(lambda: not denying.is_alive(relaunched))
        for _ in range(5):
            cordon.look()
        assert denying.asked == 1  # not at every look
        cordon.lift(LIFT)
    assert host.modes() == MODES
    said = [record.getMessage() for record in caplog.records]
    assert said.count("file rights refused") == 1


def test_what_the_system_refuses_is_found_by_the_drain_and_by_no_other_step(
    host: Guarded, denying: Denying, tmp_path: Path
) -> None:
    denying.denied = {"bin/app", "bin/manager"}
    (tmp_path / "runner").mkdir()
    rows = {name: Step(name, lambda _work: None) for name in (StepName.DRAIN, StepName.BACK_UP)}
    with host.agent() as cordon:
        cordon.apply(SEALED)
        rig = Rig(tmp_path / "runner", rows, startable=cordon.startable)
        try:
            drained = rig.take(Orders(StepName.DRAIN).start())
            cordon.look()
            backed_up = rig.take(Orders(StepName.BACK_UP).start())
        finally:
            rig.off()
    assert [found.code for found in drained.findings] == ["block-refused"] * 2
    assert "bin/app" in drained.findings[0].message
    assert backed_up.findings == ()


def test_a_step_is_refused_when_the_modes_cannot_be_given_back_and_they_stay_listed(
    host: Guarded, denying: Denying
) -> None:
    with host.agent() as cordon:
        cordon.apply(SEALED)
        denying.denied = {"bin/app"}
        refused = pytest.raises(Refused, match="cannot be made startable again: Perm")
        with refused as no, cordon.startable():
            pytest.fail("a step began")
        assert no.value.refusal is Refusal.FOLDER_RIGHTS
        sight = cordon.lift(LIFT)
        assert sight.mode is CordonMode.NONE
        assert "cannot be made startable again" in sight.detail
        assert host.modes() == MODES | {"app": 0}
        denying.denied = set()
        until(lambda: host.modes() == MODES)
        assert cordon.look().detail == ""
