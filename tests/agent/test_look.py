"""A program takes a moment to end: who opens the app over and over is not seen at every look."""

from pathlib import Path

from agent.platforms.base import CloseRung, Process
from tests.agent.fakes import FakePlatform
from tests.agent.test_cordon import SEALED, Host


class Leaving(FakePlatform):
    """Whose programs, asked to end, are still there the next times they are looked for."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times
        self._left: dict[int, int] = {}

    def close(self, process: Process, rung: CloseRung) -> None:
        self.closed.append((process.pid, rung))
        self._left.setdefault(process.pid, self._times)

    def is_alive(self, process: Process) -> bool:
        if process.pid in self._left:
            self._left[process.pid] -= 1
            if self._left[process.pid] < 0:
                self.table.pop(process.pid, None)
        return super().is_alive(process)


def test_a_relaunch_that_ends_a_moment_after_it_was_asked_to_is_not_seen_as_open(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    host.platform = platform = Leaving(times=3)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        for _ in range(3):
            relaunched = platform.open(host.app)
            assert cordon.look().open == ()
            assert platform.closed.pop() == (relaunched.pid, CloseRung.TERMINATE)
        assert cordon.look().relaunches == 3


def test_a_relaunch_that_does_not_end_is_seen_as_open_and_killed(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.platform = platform = Leaving(times=1000)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        stays = platform.open(host.app)
        assert [seen.pid for seen in cordon.look().open] == [stays.pid]
        platform.now += 0.5
        cordon.look()
        assert platform.closed[-1] == (stays.pid, CloseRung.KILL)
