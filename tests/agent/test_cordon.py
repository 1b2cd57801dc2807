"""The cordon's rules, on a host in memory whose time the test sets."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import Config
from agent.cordon import CodeRefused, Cordon
from agent.cordon_record import CordonTools
from agent.journal import CODE_TRIES, Journal
from agent.platforms.base import CloseRung, Process
from agent.steps.table import Seat
from agent.wire.codes import hash_code, new_code, new_salt
from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Fence,
    Refusal,
    UncordonOrder,
)
from tests.agent.fakes import (
    FENCE,
    LATER_ROLLOUT,
    PROFILE,
    ROLLOUT,
    FakePackages,
    FakePeople,
    FakePlatform,
    config_of,
    profile_of,
)
from tests.until import until

LEASED = CordonOrder(ROLLOUT, PROFILE, CordonMode.LEASED, FENCE)
SEALED = replace(LEASED, mode=CordonMode.SEALED)
SALT = new_salt()
CODE = "ABCD-EFGH-JKMN"
WITH_CODE = replace(SEALED, code_salt=SALT, code_hash=hash_code(CODE, SALT))
LIFT = UncordonOrder(ROLLOUT, FENCE)


class Host:
    """A host whose agent can be started again; processes, time and disk stay."""

    def __init__(self, folder: Path) -> None:
        self.platform = FakePlatform()
        self.packages = FakePackages(profile_of())
        self.people = FakePeople(here=(Seat("7", "marie"),))
        self.config: Config = config_of(folder)
        self.app = str(folder / "app" / "bin" / "app")
        self.manager = str(folder / "app" / "bin" / "manager")

    @contextmanager
    def agent(self, *, guard: bool = True) -> Iterator[Cordon]:
        with closing(Journal.open(self.config.state / "j")) as journal:
            tools = CordonTools(self.platform, self.config, self.packages.profile, self.people)
            cordon = Cordon(journal, tools)
            if guard:
                cordon.start()
            try:
                yield cordon
            finally:
                cordon.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def cordon(host: Host) -> Iterator[Cordon]:
    with host.agent() as started:
        yield started


@pytest.mark.parametrize("program", ["app", "manager", "updater"])
def test_app_service_manager_and_updater_are_closed(
    host: Host, cordon: Cordon, tmp_path: Path, program: str
) -> None:
    process = host.platform.open(str(tmp_path / "app" / "bin" / program))
    sight = cordon.apply(LEASED)
    assert (sight.mode, sight.guarded, sight.open) == (CordonMode.LEASED, True, ())
    assert not host.platform.is_alive(process)


def test_other_programs_are_left_alone(host: Host, cordon: Cordon) -> None:
    process = host.platform.open("/usr/bin/writer")
    cordon.apply(SEALED)
    assert host.platform.is_alive(process)


def test_a_lease_leaves_to_the_drain_what_was_open_before_and_a_seal_does_not(
    host: Host, cordon: Cordon
) -> None:
    before = host.platform.open(host.app, age=1)
    its_child = host.platform.open(host.app, parent=before.pid)
    relaunched = host.platform.open(host.app)
    sight = cordon.apply(LEASED)
    assert {seen.pid for seen in sight.open} == {before.pid, its_child.pid}
    assert not host.platform.is_alive(relaunched)
    assert cordon.apply(SEALED).open == ()


def test_a_sight_that_cannot_hold_them_all_names_one_program_of_each_user_first(
    host: Host, cordon: Cordon
) -> None:
    for _ in range(60):
        host.platform.open(host.app, age=1)
    host.platform.open(host.app, age=1, user="paul")

    sight = cordon.apply(LEASED)

    assert len(sight.open) == 50
    assert {seen.user for seen in sight.open[:2]} == {"marie", "paul"}


def test_what_was_open_before_is_no_relaunch(host: Host, cordon: Cordon) -> None:
    host.platform.open(host.app, age=1)
    assert cordon.apply(SEALED).relaunches == 0


def test_what_was_open_before_a_reboot_cannot_be(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(SEALED)
    host.platform.boot, host.platform.now = "boot-2", 50.0
    process = host.platform.open(host.app, age=20)
    with host.agent() as cordon:
        until(lambda: not host.platform.is_alive(process))
        assert cordon.look().relaunches == 1


def test_a_lease_that_the_agent_before_wrote_leaves_to_the_drain_what_was_open(
    host: Host,
) -> None:
    with host.agent() as cordon:
        cordon.apply(LEASED)
    with closing(sqlite3.connect(host.config.state / "j", isolation_level=None)) as file:
        file.execute(
            "UPDATE cordon SET record = json_remove(record, '$.since_clock', '$.since_boot')"
        )
    before = host.platform.open(host.app, age=3600)
    host.platform.now += 20
    relaunched = host.platform.open(host.app)
    with host.agent() as cordon:
        until(lambda: not host.platform.is_alive(relaunched))
        assert cordon.apply(LEASED).open[0].pid == before.pid
        assert host.platform.is_alive(before)


def test_how_long_an_app_is_open_is_told_by_a_clock_that_nobody_sets(
    host: Host, cordon: Cordon
) -> None:
    host.platform.open(host.app, age=90)
    assert cordon.apply(LEASED).open[0].age == 90


def test_a_relaunch_is_closed_counted_told_and_logged_with_who_and_what(
    host: Host, cordon: Cordon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cordon.apply(replace(LEASED, text="closed until 18:30"))
    process = host.platform.open(host.app, user="marie")
    until(lambda: not host.platform.is_alive(process))
    assert cordon.look().relaunches == 1
    until(lambda: host.people.said == ["closed until 18:30"], what="the notice")
    record = next(r for r in caplog.records if r.getMessage() == "closed a relaunch")
    assert (vars(record)["user"], vars(record)["program"]) == ("marie", "bin/app")


def test_a_relaunch_is_closed_also_when_it_cannot_be_counted(
    host: Host, cordon: Cordon, caplog: pytest.LogCaptureFixture
) -> None:
    cordon.apply(SEALED)
    with closing(sqlite3.connect(host.config.state / "j", isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF relaunches ON cordon "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    process = host.platform.open(host.app)
    until(lambda: not host.platform.is_alive(process))
    assert cordon.look().guarded
    assert "cannot count a relaunch" in [record.getMessage() for record in caplog.records]


def test_a_program_that_does_not_end_is_killed_half_a_second_later(
    host: Host, cordon: Cordon
) -> None:
    process = host.platform.open(host.app)
    host.platform.stubborn.add(process.pid)
    sight = cordon.apply(LEASED)
    assert [seen.pid for seen in sight.open] == [process.pid]
    assert (sight.open[0].user, sight.open[0].program) == ("marie", "bin/app")
    host.platform.now += 0.5
    until(lambda: not host.platform.is_alive(process))
    assert host.platform.closed[-1] == (process.pid, CloseRung.KILL)
    assert cordon.look().relaunches == 1


def test_a_spared_process_lives_with_its_own_children_and_nothing_else(
    host: Host, cordon: Cordon
) -> None:
    manager = host.platform.open(host.manager, age=1)
    cordon.apply(LEASED)
    cordon.spare(manager)
    worker = host.platform.open(host.manager, parent=manager.pid)
    launched = host.platform.open(host.app, parent=manager.pid)
    sight = cordon.apply(SEALED)
    assert {seen.pid for seen in sight.spared} == {manager.pid, worker.pid}
    assert not host.platform.is_alive(launched)
    cordon.spare_none()
    until(lambda: not host.platform.is_alive(worker))


def test_a_spared_process_is_spared_by_the_next_agent_too(host: Host) -> None:
    manager = host.platform.open(host.manager, age=1)
    with host.agent() as cordon:
        cordon.apply(LEASED)
        cordon.spare(manager)
        cordon.apply(SEALED)
    with host.agent() as cordon:
        assert [seen.pid for seen in cordon.look().spared] == [manager.pid]


def test_a_service_manager_may_come_up_while_a_step_starts_it(host: Host, cordon: Cordon) -> None:
    cordon.apply(SEALED)
    with cordon.expecting():
        manager = host.platform.open(host.manager)
        other = host.platform.open(host.manager)
        assert len(cordon.look().spared) == 2
        cordon.spare(manager)
    until(lambda: not host.platform.is_alive(other))
    assert host.platform.is_alive(manager)


def test_a_lease_ends_by_itself_and_a_renewed_one_does_not(host: Host, cordon: Cordon) -> None:
    cordon.apply(LEASED)
    host.platform.now += 119
    assert cordon.apply(LEASED).guarded
    host.platform.now += 119
    assert cordon.look().mode is CordonMode.LEASED
    host.platform.now += 2
    sight = cordon.look()
    assert (sight.mode, sight.guarded) == (CordonMode.NONE, False)
    process = host.platform.open(host.app)
    assert [seen.pid for seen in cordon.look().open] == [process.pid]
    assert host.platform.is_alive(process)


def _let_in_after_a_lapse(host: Host, cordon: Cordon) -> Process:
    """Have the lease end before the next order; return the process that was opened then."""
    cordon.apply(LEASED)
    host.platform.now += 121
    assert cordon.look().mode is CordonMode.NONE
    return host.platform.open(host.app, age=1)


@pytest.mark.parametrize("first", [SEALED, LEASED])
def test_who_came_in_when_the_lease_had_ended_is_not_sealed_out_but_drained(
    host: Host, cordon: Cordon, first: CordonOrder
) -> None:
    here = _let_in_after_a_lapse(host, cordon)
    for order in (first, SEALED, SEALED):
        sight = cordon.apply(order)
        assert (sight.mode, sight.guarded) == (CordonMode.LEASED, True)
        assert [seen.pid for seen in sight.open] == [here.pid]
    relaunched = host.platform.open(host.app)
    until(lambda: not host.platform.is_alive(relaunched))
    assert host.platform.closed[0][0] == relaunched.pid
    host.platform.close(here, CloseRung.KILL)  # by its drain
    assert cordon.apply(SEALED).mode is CordonMode.SEALED


def test_a_drain_is_still_owed_after_the_agents_restart_a_reboot_and_another_lapse(
    host: Host,
) -> None:
    with host.agent() as cordon:
        pid = _let_in_after_a_lapse(host, cordon).pid
        assert cordon.apply(SEALED).mode is CordonMode.LEASED
        host.platform.now += 121
    with host.agent() as cordon:
        assert [seen.pid for seen in cordon.apply(SEALED).open] == [pid]
    host.platform.boot = "boot-2"
    with host.agent() as cordon:
        assert [seen.pid for seen in cordon.apply(SEALED).open] == [pid]


def test_a_lapsed_lease_is_sealed_at_once_where_nobody_came_in(host: Host, cordon: Cordon) -> None:
    cordon.apply(LEASED)
    host.platform.now += 121
    assert cordon.apply(SEALED).mode is CordonMode.SEALED


def test_a_seal_of_another_rollout_owes_nobody_the_drain_of_the_earlier_one(
    host: Host, cordon: Cordon
) -> None:
    _let_in_after_a_lapse(host, cordon)
    sight = cordon.apply(replace(SEALED, rollout=LATER_ROLLOUT))
    assert (sight.mode, sight.open) == (CordonMode.SEALED, ())


def test_a_lease_does_not_outlive_a_reboot(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(LEASED)
    host.platform.boot = "boot-2"
    with host.agent() as cordon:
        assert cordon.look().mode is CordonMode.NONE


def test_a_lease_outlives_the_agent(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(LEASED)
    process = host.platform.open(host.app)
    with host.agent():
        until(lambda: not host.platform.is_alive(process))


def test_a_seal_outlives_lease_restart_and_reboot_without_a_profile(host: Host) -> None:
    with host.agent() as cordon:
        cordon.apply(SEALED)
    host.platform.now += 10**6
    host.platform.boot = "boot-2"
    host.packages.signed = False
    process = host.platform.open(host.app)
    with host.agent() as cordon:
        until(lambda: not host.platform.is_alive(process))
        sight = cordon.look()
        assert (sight.mode, sight.guarded, sight.rollout) == (CordonMode.SEALED, True, ROLLOUT)


def test_a_seal_never_becomes_a_lease(host: Host, cordon: Cordon) -> None:
    cordon.apply(WITH_CODE)
    assert cordon.apply(LEASED).mode is CordonMode.SEALED
    host.platform.now += 1000
    assert cordon.look().mode is CordonMode.SEALED
    cordon.open_by_code(CODE)  # the code of the seal holds, though the lease named none


def test_a_renewal_needs_neither_app_folder_nor_signature(
    host: Host, cordon: Cordon, tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    (tmp_path / "app").rename(tmp_path / "app_old")
    host.packages.signed = False
    assert cordon.apply(SEALED).guarded


def test_an_uncordon_opens(host: Host, cordon: Cordon) -> None:
    cordon.apply(SEALED)
    assert cordon.lift(LIFT).mode is CordonMode.NONE
    assert cordon.lift(LIFT).refusal is None  # asked for again
    process = host.platform.open(host.app)
    cordon.look()
    assert host.platform.is_alive(process)


def test_an_order_that_comes_after_the_lift_does_not_close_the_host_again(cordon: Cordon) -> None:
    cordon.apply(WITH_CODE)
    cordon.lift(LIFT)
    late = cordon.apply(WITH_CODE)  # of a ping that began before
    assert (late.mode, late.refusal) == (CordonMode.NONE, None)
    another = replace(WITH_CODE, code_hash=hash_code("another", SALT))
    assert cordon.apply(another).mode is CordonMode.SEALED


@pytest.mark.parametrize("fence", [Fence(2, "abc123"), Fence(3, "other")])
def test_a_stale_epoch_neither_closes_nor_opens(host: Host, cordon: Cordon, fence: Fence) -> None:
    cordon.apply(SEALED)
    lifted = cordon.lift(replace(LIFT, fence=fence))
    assert (lifted.refusal, lifted.mode) == (Refusal.STALE_EPOCH, CordonMode.SEALED)
    assert cordon.apply(replace(SEALED, fence=fence)).refusal is Refusal.STALE_EPOCH


def test_another_rollout_takes_over_and_the_earlier_one_cannot_open(
    host: Host, cordon: Cordon
) -> None:
    cordon.apply(SEALED)
    assert cordon.apply(replace(LEASED, rollout=LATER_ROLLOUT)).mode is CordonMode.SEALED
    assert cordon.lift(LIFT).refusal is Refusal.BAD_ORDER
    assert cordon.lift(replace(LIFT, rollout=LATER_ROLLOUT)).mode is CordonMode.NONE


def test_a_seal_of_one_app_is_not_lost_to_an_order_for_another(
    host: Host, cordon: Cordon, tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    (tmp_path / "other").mkdir()
    other = profile_of("other-app")
    host.packages.the_profile = replace(
        other, app=replace(other.app, folders=(str(tmp_path / "other"),))
    )
    sight = cordon.apply(replace(LEASED, rollout=LATER_ROLLOUT))
    assert sight.refusal is Refusal.BAD_ORDER
    assert (sight.mode, sight.rollout) == (CordonMode.SEALED, ROLLOUT)


def test_an_unsigned_profile_or_an_absent_app_is_refused(
    host: Host, cordon: Cordon, tmp_path: Path
) -> None:
    host.packages.signed = False
    assert cordon.apply(SEALED).refusal is Refusal.NOT_SIGNED
    host.packages.signed = True
    (tmp_path / "app").rmdir()
    sight = cordon.apply(SEALED)
    assert (sight.refusal, sight.mode) == (Refusal.APP_ABSENT, CordonMode.NONE)
    assert cordon.apply(replace(SEALED, mode=CordonMode.NONE)).refusal is Refusal.BAD_ORDER


def test_the_code_opens_and_the_rollout_does_not_close_again(host: Host, cordon: Cordon) -> None:
    cordon.apply(WITH_CODE)
    cordon.open_by_code("abcd efgh jkmn")
    sight = cordon.apply(WITH_CODE)
    assert (sight.mode, sight.code_used, sight.guarded) == (CordonMode.NONE, True, False)
    with pytest.raises(CodeRefused, match="nothing is kept closed"):
        cordon.open_by_code(CODE)
    later = cordon.apply(replace(WITH_CODE, rollout=LATER_ROLLOUT))
    assert (later.mode, later.code_used) == (CordonMode.SEALED, False)


def test_a_wrong_code_opens_nothing_and_may_be_tried_a_few_times(
    host: Host, cordon: Cordon
) -> None:
    cordon.apply(WITH_CODE)
    for _ in range(CODE_TRIES):
        with pytest.raises(CodeRefused, match="not the code of this PC"):
            cordon.open_by_code(new_code())
    with pytest.raises(CodeRefused, match="wait"):
        cordon.open_by_code(CODE)
    assert cordon.look().mode is CordonMode.SEALED


def test_no_code_opens_a_seal_that_has_none(host: Host, cordon: Cordon) -> None:
    cordon.apply(replace(SEALED, code_salt=SALT))
    with pytest.raises(CodeRefused):
        cordon.open_by_code("")


def test_a_seal_opened_by_another_process_is_noticed(host: Host, cordon: Cordon) -> None:
    cordon.apply(SEALED)
    with host.agent(guard=False) as from_the_command_line:
        assert from_the_command_line.open_by_administrator()
        assert not from_the_command_line.open_by_administrator()
    process = host.platform.open(host.app)
    looks = host.platform.looks
    until(lambda: host.platform.looks >= looks + 1)
    sight = cordon.apply(SEALED)
    assert (sight.mode, sight.code_used) == (CordonMode.NONE, False)
    assert sight.detail == "opened at this PC by administrator"
    assert host.platform.is_alive(process)


def test_nobody_looks_while_there_is_no_cordon(host: Host, cordon: Cordon) -> None:
    assert cordon.look().mode is CordonMode.NONE
    assert host.platform.looks == 0
    cordon.apply(SEALED)
    cordon.lift(LIFT)
    looks = host.platform.looks
    with suppress(AssertionError):
        until(lambda: host.platform.looks > looks, seconds=0.3)
    assert host.platform.looks == looks


def test_without_its_guard_a_host_is_never_called_guarded(host: Host) -> None:
    with host.agent(guard=False) as cordon:
        sight = cordon.apply(SEALED)
    assert (sight.mode, sight.guarded) == (CordonMode.SEALED, False)
