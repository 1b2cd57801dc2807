"""A host that follows another coordinator: what people are told of it, and what mends it.

Its agent refuses an order as stale when another coordinator has led the host since: this one was
restored from a backup, or was started from a copy. The host answers, so it is not switched off,
and no other try mends it.
"""

from agent.wire.contract import Refusal

FOLLOWS = (
    "follows another coordinator, which is newer than this one, and refuses this one's orders "
    "(this one was restored from a backup, or started from a copy)"
)
TAKE_OVER = (
    "make sure that the other coordinator is stopped for good; only then stop this one and start "
    "it with: roundsman serve --take-over"
)


def is_led(refusal: Refusal | None) -> bool:
    """True when this refusal says that another coordinator leads the host."""
    return refusal is Refusal.STALE_EPOCH


def why(refusal: Refusal | None, detail: str) -> str:
    """Return why a host did not do what it was asked: `detail`, unless another leads it."""
    return f"its agent {FOLLOWS}" if is_led(refusal) else detail
