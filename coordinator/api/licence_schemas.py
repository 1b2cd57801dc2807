"""The JSON of entitlements that operators' programs see; see `coordinator.api.schemas`."""

from datetime import date

from coordinator.api.schemas import Answer


class LicenceView(Answer):
    """What a vendor has granted for one app, and how much of it is taken."""

    app: str
    holder: str = ""
    edition: str = ""
    seats: int = 0
    seats_taken: int = 0  # workstations known to have it
    contract_end: date | None = None  # last day of the update contract
    valid_until: date | None = None  # last day of a licence that is rented
    is_signed: bool = False
    problem: str = ""  # why it does not count; "" = it does
    added_by: str
    at: float

    @property
    def needs_a_person(self) -> bool:
        """True when it does not count, or is for fewer workstations than there are."""
        return bool(self.problem) or self.seats_taken > self.seats
