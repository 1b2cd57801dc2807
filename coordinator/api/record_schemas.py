"""The JSON that operators' programs see of what runs on a host."""

from coordinator.api.schemas import Answer


class CandidateView(Answer):
    """One folder that could be an application."""

    folder: str
    programs: list[str]
    users: list[str]
    windows: bool  # a program of it has a window on somebody's screen
    session: bool  # a program of it is in somebody's session
    service: str  # the system's service that runs from it, "" = none
    opens_at_log_in: list[str]
    package: str
    ports: list[int]


class RecordView(Answer):
    """What was seen on a host, and the draft of a profile where it is clear of what."""

    host: str
    candidates: list[CandidateView]
    left_out: int  # folders that were seen and are not listed
    folder: str = ""  # the one that the draft is of, "" = several could be meant
    name: str = ""
    draft: str = ""
