"""What an operator may do. Pure."""

from enum import StrEnum


class OperatorRole(StrEnum):
    """Each may do what those before it may, and more."""

    VIEWER = "viewer"  # sees everything but codes, tokens and the audit trail
    OPERATOR = "operator"  # plans, starts and steers rollouts, adds releases
    ADMIN = "admin"  # lets hosts and operators in, and keeps them out

    def includes(self, needed: "OperatorRole") -> bool:
        """True when this role may do what `needed` may."""
        ranks = list(OperatorRole)
        return ranks.index(self) >= ranks.index(needed)
