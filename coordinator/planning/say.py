"""Makes findings of sentences, cut to what a finding may hold."""

from agent.wire.contract import Finding, Severity

_MOST = 500


def blocks(code: str, message: str, fix: str) -> Finding:
    """Return a finding that a plan is not started with."""
    return Finding(code, Severity.BLOCKS, message[:_MOST], fix[:_MOST])


def warns(code: str, message: str, fix: str = "") -> Finding:
    """Return a finding that a person should know of."""
    return Finding(code, Severity.WARNING, message[:_MOST], fix[:_MOST])
