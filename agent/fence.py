"""Who may give orders: the highest epoch heard of, and within it one instance only."""

from agent.journal import Journal
from agent.wire.contract import Fence


def why_stale(journal: Journal, fence: Fence) -> str:
    """Keep `fence` when it is the highest; return why it is too old, "" when it is good."""
    known = journal.raise_fence(fence)
    if known == fence:
        return ""
    return (
        f"order of epoch {fence.epoch} by {fence.instance or 'nobody'}: this host follows "
        f"epoch {known.epoch} of {known.instance or 'nobody'}. If that coordinator is gone for "
        "good and the one that asks is to lead: roundsman serve --take-over"
    )
