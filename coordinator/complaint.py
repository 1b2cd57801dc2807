"""What a command says when it cannot do what it was asked: why, and what to do."""


class Complaint(Exception):  # noqa: N818 - reads better where it is caught
    """Something cannot be done; `mend` is what the person can do about it ("" = nothing known)."""

    def __init__(self, error: str, mend: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.mend = mend


class Blocked(Complaint):
    """It was heard and judged, and something speaks against it: a person is needed."""
