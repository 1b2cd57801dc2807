"""The machine words of the contract: steps, directions, states, refusals, cordons, severities.

Part of `agent.wire.contract`, from where they are imported; here so that both can be read whole.
"""

from enum import StrEnum


class StepName(StrEnum):
    """The steps of one host's update, in the order they are taken; then those apart from one."""

    SURVEY = "survey"
    STAGE = "stage"
    ANNOUNCE = "announce"  # as often as people are to be told ahead
    DRAIN = "drain"
    STOP_SERVICE_MANAGER = "stop-service-manager"
    BACK_UP_DATA = "back-up-data"  # by the one host that holds the data a group shares
    BACK_UP = "back-up"
    APPLY_RELEASE = "apply-release"
    START_SERVICE_MANAGER = "start-service-manager"
    CHECK_HEALTH = "check-health"
    REOPEN = "reopen"  # once the cordon is lifted
    OBSERVE = "observe"  # what runs there: for a first profile, so without one
    FETCH = "fetch"  # a package, ahead of any rollout
    LIST_BACKUPS = "list-backups"
    VERIFY_BACKUP = "verify-backup"
    REHEARSE_RESTORE = "rehearse-restore"
    RESTORE_BACKUP = "restore-backup"


class Direction(StrEnum):
    """Which way a step is taken."""

    DO = "do"
    UNDO = "undo"
    TIDY = "tidy"


class StepState(StrEnum):
    """How far the agent has got with a step, in one direction."""

    UNHEARD = "unheard"  # the agent never heard of it
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # begun, and could not be ended well; what was changed is for undo
    REFUSED = "refused"  # nothing was changed
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # the agent died in it; start it again to go on

    @property
    def is_final(self) -> bool:
        """True when the agent will not move it any further by itself."""
        return self not in {StepState.RUNNING, StepState.UNHEARD}


class Refusal(StrEnum):
    """Why an agent did not do what it was asked, having changed nothing."""

    PROTOCOL_MISMATCH = "protocol-mismatch"
    STALE_EPOCH = "stale-epoch"
    STEP_MISMATCH = "step-mismatch"
    STALE_ATTEMPT = "stale-attempt"
    LANE_BUSY = "lane-busy"
    UNKNOWN_STEP = "unknown-step"
    BAD_ORDER = "bad-order"
    NOT_SIGNED = "not-signed"
    PACKAGE_MISMATCH = "package-mismatch"
    PACKAGE_ABSENT = "package-absent"
    DISK_FULL = "disk-full"
    APP_ABSENT = "app-absent"
    APP_STILL_OPEN = "app-still-open"
    SERVICE_MANAGER_STILL_RUNNING = "service-manager-still-running"
    NOT_SEALED = "not-sealed"
    FOLDER_RIGHTS = "folder-rights"
    WRONG_VERSION = "wrong-version"
    NOT_STAGED = "not-staged"
    OUT_OF_TIME = "out-of-time"
    RETRY_LATER = "retry-later"
    NO_BACKUP = "no-backup"
    BACKUP_DAMAGED = "backup-damaged"
    DATA_ABSENT = "data-absent"
    INTERNAL = "internal"


class CordonMode(StrEnum):
    """How the app is kept closed on a host."""

    NONE = "none"
    LEASED = "leased"  # ends by itself, LEASE_SECONDS after the last order
    SEALED = "sealed"  # outlives lease and reboot: uncordon, one-time code or administrator


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    WARNING = "warning"
    BLOCKS = "blocks"
