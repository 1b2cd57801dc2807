"""What the engine does to the walk's port: every value is kept, and given again after a crash."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.walk.ports import Command, News, Outcome, Port, SightOf

_T = TypeVar("_T")


class Crash(BaseException):
    """The coordinator was killed."""


@dataclass(slots=True)
class RecordingPort:
    """Keeps what each call asked and answered; asked again, the walk must ask the same."""

    port: Port
    kept: list[tuple[str, Any]] = field(default_factory=list)
    crash_at: int = -1  # the call that is carried out, and whose value is lost
    calls: int = 0

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        call = f"take {host} {step} {direction} {attempt}"
        return self._once(call, lambda: self.port.take(host, step, direction, attempt))

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        call = f"take_all {dict(attempts)} {step} {direction}"
        return self._once(call, lambda: self.port.take_all(attempts, step, direction))

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        return self._once(f"confirm {list(hosts)} {mode}", lambda: self.port.confirm(hosts, mode))

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        return self._once(f"uncordon {list(hosts)}", lambda: self.port.uncordon(hosts))

    def now(self) -> float:
        return self._once("now", self.port.now)

    def wait(self, seconds: float) -> None:
        self._once(f"wait {seconds}", lambda: self.port.wait(seconds))

    def safe_point(self, after: int, patience: float) -> Command | None:
        call = f"safe_point {after} {patience}"
        return self._once(call, lambda: self.port.safe_point(after, patience))

    def tell(self, *news: News) -> None:
        self._once(f"tell {news}", lambda: self.port.tell(*news))

    def _once(self, call: str, act: Callable[[], _T]) -> _T:
        number, self.calls = self.calls, self.calls + 1
        if number < len(self.kept):
            assert call == self.kept[number][0]
            kept: _T = self.kept[number][1]
            return kept
        value = act()
        if number == self.crash_at:
            raise Crash
        self.kept.append((call, value))
        return value
