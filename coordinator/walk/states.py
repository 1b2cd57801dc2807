"""Every move a host can make during a rollout, in one table. Pure: no I/O, no clock."""

from enum import StrEnum


class RolloutState(StrEnum):
    """Where a rollout stands."""

    WAITING = "waiting"  # for its window
    PREPARING = "preparing"  # survey and stage; everybody works on
    CLOSING = "closing"  # the app is being closed everywhere
    WALKING = "walking"  # host after host is visited
    PAUSED = "paused"
    NEEDS_OPERATOR = "needs-operator"
    RE_OPENING = "re-opening"
    ROLLING_BACK = "rolling-back"
    DONE = "done"
    PARTLY_DONE = "partly-done"  # re-opened on the new release; hosts skipped stay sealed
    ABORTED = "aborted"  # nothing was changed, or all is rolled back: re-opened
    LEFT_CLOSED = "left-closed"  # ended with the group not on one version

    @property
    def is_final(self) -> bool:
        """True when the rollout has ended."""
        return self in _ENDS


_ENDS = frozenset(
    {
        RolloutState.DONE,
        RolloutState.PARTLY_DONE,
        RolloutState.ABORTED,
        RolloutState.LEFT_CLOSED,
    }
)


class HostState(StrEnum):
    """Where a host stands in the rollout."""

    PENDING = "pending"
    DRAINING = "draining"
    UPDATING = "updating"
    CHECKING = "checking"
    UPDATED = "updated"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs-operator"


class Event(StrEnum):
    """What happened to the host."""

    CLOSING_BEGAN = "closing-began"
    CLOSED = "closed"
    TURN_CAME = "turn-came"
    PUT_OFF = "put-off"
    APPLIED = "applied"
    PASSED = "passed"
    FAILED = "failed"
    STUCK = "stuck"
    SILENT = "silent"
    ROLL_BACK = "roll-back"
    UNDONE = "undone"
    SKIPPED = "skipped"


_S, _E = HostState, Event

# fmt: off
TRANSITIONS: dict[tuple[HostState, Event], HostState] = {
    (_S.PENDING,        _E.CLOSING_BEGAN): _S.DRAINING,
    (_S.PENDING,        _E.TURN_CAME):     _S.UPDATING,
    (_S.PENDING,        _E.PASSED):        _S.UPDATED,         # it has the release already
    (_S.PENDING,        _E.SILENT):        _S.UNKNOWN,
    (_S.PENDING,        _E.FAILED):        _S.NEEDS_OPERATOR,  # cannot be prepared
    (_S.PENDING,        _E.SKIPPED):       _S.SKIPPED,
    (_S.DRAINING,       _E.CLOSED):        _S.PENDING,         # closed, its turn is to come
    (_S.DRAINING,       _E.FAILED):        _S.NEEDS_OPERATOR,  # nothing changed yet
    (_S.DRAINING,       _E.PUT_OFF):       _S.PENDING,
    (_S.DRAINING,       _E.SILENT):        _S.UNKNOWN,
    (_S.DRAINING,       _E.SKIPPED):       _S.SKIPPED,
    (_S.UPDATING,       _E.PUT_OFF):       _S.PENDING,         # begun, and nothing changed
    (_S.UPDATING,       _E.APPLIED):       _S.CHECKING,
    (_S.UPDATING,       _E.FAILED):        _S.ROLLING_BACK,
    (_S.UPDATING,       _E.STUCK):         _S.NEEDS_OPERATOR,  # failed, cannot go back alone
    (_S.UPDATING,       _E.SILENT):        _S.UNKNOWN,
    (_S.UPDATING,       _E.ROLL_BACK):     _S.ROLLING_BACK,
    (_S.CHECKING,       _E.PASSED):        _S.UPDATED,
    (_S.CHECKING,       _E.FAILED):        _S.ROLLING_BACK,
    (_S.CHECKING,       _E.STUCK):         _S.NEEDS_OPERATOR,
    (_S.CHECKING,       _E.SILENT):        _S.UNKNOWN,
    (_S.CHECKING,       _E.ROLL_BACK):     _S.ROLLING_BACK,
    (_S.UPDATED,        _E.ROLL_BACK):     _S.ROLLING_BACK,
    (_S.UPDATED,        _E.FAILED):        _S.NEEDS_OPERATOR,  # does not come back at re-opening
    (_S.ROLLING_BACK,   _E.UNDONE):        _S.ROLLED_BACK,
    (_S.ROLLING_BACK,   _E.FAILED):        _S.NEEDS_OPERATOR,
    (_S.ROLLING_BACK,   _E.SILENT):        _S.UNKNOWN,
    (_S.ROLLED_BACK,    _E.TURN_CAME):     _S.UPDATING,        # an operator asked for a new try
    (_S.ROLLED_BACK,    _E.FAILED):        _S.NEEDS_OPERATOR,
    (_S.ROLLED_BACK,    _E.SKIPPED):       _S.SKIPPED,
    (_S.UNKNOWN,        _E.CLOSING_BEGAN): _S.DRAINING,        # its agent answers again
    (_S.UNKNOWN,        _E.TURN_CAME):     _S.UPDATING,
    (_S.UNKNOWN,        _E.ROLL_BACK):     _S.ROLLING_BACK,
    (_S.UNKNOWN,        _E.PUT_OFF):       _S.PENDING,
    (_S.UNKNOWN,        _E.FAILED):        _S.NEEDS_OPERATOR,
    (_S.UNKNOWN,        _E.SKIPPED):       _S.SKIPPED,         # an operator: it is switched off
    (_S.NEEDS_OPERATOR, _E.CLOSING_BEGAN): _S.DRAINING,
    (_S.NEEDS_OPERATOR, _E.TURN_CAME):     _S.UPDATING,
    (_S.NEEDS_OPERATOR, _E.PUT_OFF):       _S.PENDING,
    (_S.NEEDS_OPERATOR, _E.ROLL_BACK):     _S.ROLLING_BACK,
    (_S.NEEDS_OPERATOR, _E.PASSED):        _S.UPDATED,         # back at last, at re-opening
    (_S.NEEDS_OPERATOR, _E.SKIPPED):       _S.SKIPPED,
    (_S.SKIPPED,        _E.ROLL_BACK):     _S.ROLLING_BACK,    # the whole group goes back
}
# fmt: on


def advance(state: HostState, event: Event) -> HostState:
    """Return the state that follows, or raise `ValueError` for a move the table lacks."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ValueError(f"no move from {state} on {event}") from None
