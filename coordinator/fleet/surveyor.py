"""Asks hosts how they are, outside of any rollout: what `plan` and `doctor` look at."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from agent.wire.contract import StepName, StepParams, Target
from coordinator.fleet.asker import Asked, Asker
from coordinator.model import SurveyOf
from coordinator.walk.ports import Verdict

_SECONDS = 60.0
_POOL = 200


class Surveyor:
    """Has the survey step taken by many hosts at once."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def survey(self, host_ids: Collection[str], profile: Target) -> Mapping[str, SurveyOf]:
        """Return what each host said, by id, for the app of one profile."""
        if not host_ids:
            return {}
        survey_id = self._asker.new_id()
        with ThreadPoolExecutor(min(len(host_ids), _POOL), "survey") as pool:
            asked = {h: pool.submit(self._one, h, survey_id, profile) for h in host_ids}
            return {h: answer.result() for h, answer in asked.items()}

    def _one(self, host: str, survey_id: str, profile: Target) -> SurveyOf:
        asked = Asked(survey_id, host, StepName.SURVEY, StepParams(profile), _SECONDS)
        said = self._asker.ask(asked)
        is_silent = said.verdict is Verdict.UNKNOWN
        report = said.report
        return SurveyOf(report.facts, said.findings, said.why, report.refusal, is_silent)
