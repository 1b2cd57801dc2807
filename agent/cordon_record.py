"""What an order makes of the cordon's record. No thread, no journal."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.config import Config, find_installation
from agent.platforms.base import Platform
from agent.programs import Programs, all_programs, service_manager_programs
from agent.records import CordonRecord, CordonState, sentence
from agent.steps.table import People, Refused
from agent.wire.contract import CordonMode, CordonOrder, Refusal, Target
from agent.wire.profile import Profile


@dataclass(frozen=True, slots=True)
class CordonTools:
    """What a cordon needs of its host; `profile` raises `Refused` NOT_SIGNED."""

    platform: Platform
    config: Config
    profile: Callable[[Target], Profile]
    people: People


def new_record(tools: CordonTools, order: CordonOrder, state: CordonState | None) -> CordonRecord:
    """Return the cordon that `order` asks for. Raises `Refused`."""
    platform = tools.platform
    app = _app(tools, order, state)
    return CordonRecord(
        rollout=order.rollout,
        profile=order.profile,
        app=app.name,
        title=app.title,
        mode=order.mode,
        fence=order.fence,
        programs=app.programs,
        service=app.service,
        since=time.time(),
        heard=platform.clock(),
        until=platform.clock() + order.ttl,
        boot_id=platform.boot_id(),
        since_clock=platform.clock(),
        since_boot=platform.boot_id(),
        text=order.text,
        outlook=order.outlook,
        unit=app.unit,
        block=app.block,
        code_salt=order.code_salt,
        code_hash=order.code_hash,
    )


@dataclass(frozen=True, slots=True)
class _App:
    name: str
    title: str
    programs: Programs
    service: Programs
    unit: str
    block: bool


def _app(tools: CordonTools, order: CordonOrder, state: CordonState | None) -> _App:
    """Return the app, all programs and the service manager's: found once a rollout.

    In the middle of a swap there is no app folder, and the renewal must not fail for that.
    """
    if state is not None:
        known = state.record
        if (known.rollout, known.profile) == (order.rollout, order.profile):
            return _App(
                known.app, known.title, known.programs, known.service, known.unit, known.block
            )
    profile = tools.profile(order.profile)
    folder = find_installation(tools.config, profile).folder
    return _App(
        profile.name,
        sentence(profile.title, 100),
        all_programs(profile, folder),
        service_manager_programs(profile, folder),
        profile.service_manager.unit[:256],
        profile.close.block,
    )


def is_the_same(old: CordonRecord, new: CordonRecord) -> bool:
    """True when `new` only renews `old`: one rollout, one code."""
    return (old.rollout, old.code_hash) == (new.rollout, new.code_hash)


def began_at(record: CordonRecord, platform: Platform) -> float:
    """Return when the cordon came, on the platform's clock; before all that runs, in an old boot.

    The time of day may be hours off when a host starts, and be set right after.
    """
    if not record.since_boot:
        return record.since - time.time() + platform.clock()
    return record.since_clock if record.since_boot == platform.boot_id() else 0.0


def merged(old: CordonRecord, new: CordonRecord) -> CordonRecord:
    """Return the cordon after an order that finds one on: a seal never becomes a lease.

    Where a drain is owed it stays a lease until one has ended.

    Raises `Refused` BAD_ORDER when another app is kept closed.
    """
    if old.app != new.app:
        raise Refused(
            Refusal.BAD_ORDER,
            f"{old.app} is kept closed here by rollout {old.rollout}: uncordon that one first",
        )
    is_owed = new.owed or (old.owed and new.mode is CordonMode.LEASED)
    sealed = CordonMode.SEALED in {old.mode, new.mode} and not is_owed
    first = old if old.rollout == new.rollout else new
    code = new if new.code_hash else old
    return replace(
        new,
        mode=CordonMode.SEALED if sealed else new.mode,
        since=first.since,
        since_clock=first.since_clock,
        since_boot=first.since_boot,
        owed=is_owed,
        code_salt=code.code_salt,
        code_hash=code.code_hash,
    )


def mode_now(state: CordonState, platform: Platform) -> CordonMode:
    """Return how the app is kept closed at this moment: a lease ends by itself."""
    record = state.record
    if state.opened:
        return CordonMode.NONE
    if record.mode is not CordonMode.LEASED:
        return record.mode
    live = record.boot_id == platform.boot_id() and platform.clock() < record.until
    return CordonMode.LEASED if live else CordonMode.NONE


def may_owe_a_drain(state: CordonState, record: CordonRecord, mode: CordonMode) -> bool:
    """True when people may have been let in since they were drained: the lease has ended.

    A seal would close them without a word. `mode` is how the app is kept closed now.
    """
    old = state.record
    if state.opened or old.mode is not CordonMode.LEASED or old.rollout != record.rollout:
        return False
    return old.owed or mode is CordonMode.NONE


def owing(record: CordonRecord) -> CordonRecord:
    """Return it as a lease: what is open at this moment was open before, and is the drain's."""
    return replace(record, mode=CordonMode.LEASED, owed=True)


def about_cordon(record: CordonRecord) -> dict[str, object]:
    """Return what the log says of a cordon."""
    return {"rollout": record.rollout, "app": record.app, "mode": record.mode.value}
