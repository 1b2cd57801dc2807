"""The JSON that operators' programs see of backups."""

from agent.wire.contract import Severity, StepName
from coordinator.api.schemas import Answer, FindingView
from coordinator.walk.ports import Verdict


class BackupView(Answer):
    """One backup on one host, named after the rollout that made it."""

    name: str
    rollout: str = ""  # its label, "" when this coordinator does not know it
    app: str = ""
    version: str = ""
    made: float | None = None
    complete: bool = False
    damaged: bool = False
    files: int = 0
    bytes: int = 0
    encrypted: bool = False


class ErrandView(Answer):
    """What is asked of a host's backups, as far as it has come."""

    id: str
    host: str
    host_id: str
    app: str = ""
    what: StepName
    began: float
    now: float
    ended: float | None = None
    verdict: Verdict | None = None  # None while it is under way
    step: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    detail: str = ""
    mend: str = ""
    facts: dict[str, str]
    findings: list[FindingView]
    stays_closed: bool = False

    @property
    def needs_a_person(self) -> bool:
        """True when it has ended, and not well."""
        found = any(finding.severity is not Severity.NOTE for finding in self.findings)
        return self.verdict is not None and (self.verdict is not Verdict.DONE or found)
