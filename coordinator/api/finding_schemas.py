"""The JSON that operators' programs see of releases at their vendors'."""

from coordinator.api.schemas import Answer
from coordinator.model import DownloadState


class OfferView(Answer):
    """One release that a vendor offers."""

    version: str
    released: str  # 2026-11-21
    size: int  # of all its packages
    packages: list[str]  # "workstation on linux"
    terms: list[str]  # in words
    headline: str = ""  # the beginning of its notes
    state: str = ""  # "" = not added yet, "added" = waits for a signature, "signed"
    newer: bool  # than what a workstation has, and than all that was added


class FoundView(Answer):
    """What one app's vendor offers; `problem` says why that is not known."""

    app: str
    source: str
    releases: list[OfferView]
    installed: dict[str, int]  # on how many workstations each version was seen
    unheard: int = 0  # workstations that did not say what they have
    problem: str = ""
    mend: str = ""


class NotesView(Answer):
    """The vendor's notes of one release, Markdown."""

    app: str
    version: str
    notes: str


class DownloadView(Answer):
    """A release on its way to the coordinator."""

    id: str
    app: str
    version: str
    began: float
    now: float
    state: DownloadState
    place: str = ""  # what is fetched now
    bytes_done: int = 0
    bytes_total: int = 0
    targets: tuple[str, ...] = ()  # what was taken in, to be signed
    unverified: tuple[str, ...] = ()  # SHA-256 of what came without one to hold against it
    ended: float | None = None
    warning: str = ""  # what is missing for it to be installed
    problem: str = ""
    mend: str = ""

    @property
    def needs_a_person(self) -> bool:
        """True when it has ended, and not well."""
        return self.state is DownloadState.FAILED
