"""The JSON that operators' programs see of mail."""

from coordinator.api.schemas import Answer


class MailView(Answer):
    """One mail to one recipient."""

    number: int
    rollout: str  # its label
    recipient: str
    kind: str
    state: str  # waiting, sent or given-up
    at: float
    tries: int
    next_try: float | None  # None once it was sent or given up
    ended: float | None
    problem: str
    message_id: str


class MailTestView(Answer):
    """What became of one test; `problem` is "" when the mail server took it."""

    recipient: str
    problem: str = ""

    @property
    def needs_a_person(self) -> bool:
        """True when it was not taken."""
        return bool(self.problem)
