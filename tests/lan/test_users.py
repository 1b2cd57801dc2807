"""The user of a workstation does what he may, again and again; its agent is killed and killed."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.ledger import PLANNED, journal_steps
from tests.lan import agents
from tests.lan.app import SERVICE, Workstation
from tests.lan.box import Box, Host
from tests.lan.faults import Row
from tests.lan.moments import Moment
from tests.lan.office import LanOffice
from tests.until import until

_AREA = "The user of a workstation"
_THOROUGH = pytest.mark.thorough
_CROWD = 1000
_KILLS = 10
_END_SECONDS = 300.0
# all that he may kill, and none of his own loops: it spares whoever asks
_KILL_ALL = "import os, time\nwhile True:\n    os.kill(-1, 9)\n    time.sleep(0.3)\n"
_OPEN = "while :; do /usr/bin/python3 -I /opt/lob/lobapp/officeapp.py {user}; sleep 0.1; done"
_MANY = f"for i in $(seq {_CROWD}); do sleep 20 & done; wait"
_KILL_AGENT = f"""
until systemctl is-active --quiet {agents.UNIT}; do sleep 0.1; done
for i in $(seq {_KILLS}); do
    sleep 1
    systemctl kill --kill-who=main --signal=KILL {agents.UNIT}
    while systemctl is-active --quiet {agents.UNIT}; do sleep 0.02; done
    until systemctl is-active --quiet {agents.UNIT}; do sleep 0.1; done
done
"""
_WRITES = """
import json, os, sys
done = []
def tries(what, act):
    try:
        act()
    except OSError:
        return
    done.append(what)
for top in sys.argv[1:]:
    folders = [top] + [os.path.join(f, d) for f, ds, _ in os.walk(top) for d in ds]
    files = [os.path.join(f, n) for f, _, ns in os.walk(top) for n in ns]
    files = [file for file in files if not os.path.islink(file)]
    for folder in folders:
        tries("makes " + folder, lambda: os.mkdir(folder + "/planted"))
        tries("links " + folder, lambda: os.symlink("/etc", folder + "/link"))
        tries("moves " + folder, lambda: os.rename(folder, folder + ".moved"))
        tries("opens to all " + folder, lambda: os.chmod(folder, 0o777))
    for file in files:
        tries("writes " + file, lambda: open(file, "ab").close())
        tries("deletes " + file, lambda: os.unlink(file))
print(json.dumps([len(sys.argv) - 1, done]))
"""
_PLACES = ("/var/lib/roundsman", "/opt/lob", "/opt/roundsman", "/etc/systemd/system")
Tell = Callable[[Row], None]


def test_a_user_who_kills_opens_and_crowds_all_he_may_does_not_get_past_the_guard(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        office.when("h2", "drain", Moment.ENDED)
        host, station = box.hosts["h2"], office.stations["h2"]
        host.spawn("python3", "-c", _KILL_ALL, user="alice")
        host.spawn("sh", "-c", _MANY, user="bob")
        host.spawn("sh", "-c", _OPEN.format(user="bob"), user="bob")
        assert_cannot_stop(host)
        assert_cannot_write(host, station)
        ledger, rollout = office.ledger, office.rollout
        until(lambda: ledger.has_ended(rollout), _END_SECONDS, "it ends: nobody is asked for that")
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
        assert [one for one in office.relaunches if one["user"] == "bob"]
        told(
            row("kills all he may, again and again, and opens the app in a loop", "closed in 1 s")
        )
        told(row(f"begins {_CROWD} processes", "closed in 1 s"))
        told(row("stops the agent, stops the service, kills the agent", "may not"))
        told(row("writes to the agent's state, what is staged, the app, the units", "may not"))


def row(fault: str, outcome: str) -> Row:
    """Return a row of this page."""
    return Row(_AREA, fault, "the host being updated", "all along", outcome, 0)


def assert_cannot_stop(host: Host) -> None:
    """What a user may not: systemd and the kernel say no, and all runs on."""
    pid = _shown(host, "MainPID")
    for command in (
        ("systemctl", "--no-ask-password", "stop", agents.UNIT),
        ("systemctl", "--no-ask-password", "kill", agents.UNIT),
        ("systemctl", "--no-ask-password", "start", SERVICE),
        ("systemctl", "--no-ask-password", "stop", SERVICE),
        ("kill", "-9", pid),
    ):
        assert host.run(*command, user="bob", check=False).returncode != 0, command
    assert (_shown(host, "ActiveState"), _shown(host, "MainPID")) == ("active", pid)


def _shown(host: Host, what: str) -> str:
    return host.run("systemctl", "show", "--value", "--property", what, agents.UNIT).stdout.strip()


def assert_cannot_write(host: Host, station: Workstation) -> None:
    """A user writes, makes, moves and deletes nothing where the agent and the app live."""
    told = host.run("python3", "-c", _WRITES, *_PLACES, user="bob").stdout
    places, done = json.loads(told)
    own = {f"writes {station.folder}/data/bob.txt", f"writes {station.evidence}"}
    own = {line.replace(str(host.root), "") for line in own}
    assert places == len(_PLACES)
    assert set(done) <= own, done


@_THOROUGH
def test_agents_that_are_killed_every_second_lose_no_step_and_do_none_twice(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        loops = [host.spawn("sh", "-c", _KILL_AGENT) for host in box.hosts.values()]
        assert [loop.wait(300) for loop in loops] == [0, 0, 0]
        for host in box.hosts.values():
            assert int(_shown(host, "NRestarts")) >= _KILLS
        assert office.end(office.rollout) == "done", office.told(office.rollout)
        assert office.violations() == []
        for station in office.stations.values():
            assert_each_step_once(office, station)
        outcome = "the end is reached; no step is lost, none done twice"
        told(Row(_AREA, f"kill -9 of every agent, {_KILLS} times", "all", "all along", outcome, 0))


def assert_each_step_once(office: LanOffice, station: Workstation) -> None:
    """The journal has each step of the plan, done; its log tells of no second end of any."""
    steps = journal_steps(station.state, office.rollout)
    assert {row.key for row in steps if row.state == "done"} >= set(PLANNED)
    shown = ("journalctl", "--output=cat", "--no-pager", "-u", agents.UNIT)
    ended: Counter[str] = Counter()
    for line in station.host.run(*shown).stdout.splitlines():
        if '"step ended"' in line and office.rollout in line and '"state": "done"' in line:
            fact = json.loads(line)
            ended[f"{fact['step']} {fact['direction']} {fact['attempt']}"] += 1
    assert ended
    assert set(ended.values()) == {1}, ended
