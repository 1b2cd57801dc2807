"""Asks hosts how they are, outside of any rollout: what `plan` and `doctor` look at."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from agent.wire.contract import (
    Direction,
    Fence,
    StartOrder,
    StepName,
    StepParams,
    Target,
)
from coordinator.fleet.stepper import Stepper
from coordinator.model import SurveyOf
from coordinator.walk.ports import Verdict

_SECONDS = 60.0
_SILENCE_SECONDS = 5.0
_POOL = 200


class Surveyor:
    """Has the survey step taken, each time under a new id, so that no old answer is given."""

    def __init__(
        self, stepper: Stepper, fence: Callable[[], Fence], new_id: Callable[[], str]
    ) -> None:
        self._stepper = stepper
        self._fence = fence
        self._new_id = new_id

    def survey(self, host_ids: Collection[str], profile: Target) -> Mapping[str, SurveyOf]:
        """Return what each host said, by id, for the app of one profile."""
        if not host_ids:
            return {}
        survey_id = self._new_id()
        with ThreadPoolExecutor(min(len(host_ids), _POOL), "survey") as pool:
            asked = {h: pool.submit(self._one, h, survey_id, profile) for h in host_ids}
            return {h: answer.result() for h, answer in asked.items()}

    def _one(self, host: str, survey_id: str, profile: Target) -> SurveyOf:
        order = StartOrder(
            step_id=f"{survey_id}/{host}/{StepName.SURVEY}",
            direction=Direction.DO,
            attempt=1,
            fence=self._fence(),
            not_after=_SECONDS,
            params=StepParams(profile),
        )
        verdict, report = self._stepper.take(host, order, _SILENCE_SECONDS, lambda _report: None)
        findings = self._stepper.findings(host, report)
        problem = "" if verdict is Verdict.DONE else report.detail or str(report.refusal)
        return SurveyOf(report.facts, findings, problem)
