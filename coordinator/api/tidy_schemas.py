"""What operators' programs see of what nobody needs any more on the coordinator's disk."""

from coordinator.api.schemas import Answer


class GoneView(Answer):
    """One kind of files that were deleted, or would be."""

    kind: str
    files: int
    bytes: int


class SupersededView(Answer):
    """A release that stays because it is on offer, and for no other reason."""

    app: str
    version: str
    bytes: int


class TidyView(Answer):
    """What was deleted, or would be; `free` is what the disk has left now."""

    dry_run: bool
    days: int
    kept_releases: int  # the last ones of each app
    gone: list[GoneView]
    releases: list[str]  # whose content goes, "office 1.0"
    superseded: list[SupersededView]
    free: int

    @property
    def bytes(self) -> int:
        """How much it is in all."""
        return sum(one.bytes for one in self.gone)
