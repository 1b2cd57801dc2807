"""The box itself: hosts that boot and lose their power, trouble on wires, disks."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lan.box import Box, Host
from tests.lan.network import Way
from tests.lan.settings import PREFIX
from tests.until import until

_SMALL = 48


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with Box(3, disk_megabytes={"h3": _SMALL}) as box:
        yield box


@pytest.fixture
def h1(box: Box) -> Iterator[Host]:
    yield box.hosts["h1"]
    box.network.heal("h1")


def _ping(sender: Host, address: str) -> float:
    """Return the milliseconds an echo took; 0 when none came back."""
    said = sender.run("ping", "-c", "1", "-W", "1", address, check=False).stdout
    took = re.search(r"time=([\d.]+) ms", said)
    return float(took[1]) if took else 0.0


def _answers(sender: Host, address: str) -> float:
    """Return the milliseconds an echo took, asked again: a cable put back is not up at once."""
    return next((took for _ in range(10) if (took := _ping(sender, address))), 0.0)


def _echoes_heard(host: Host) -> int:
    names, numbers = re.findall(r"^Icmp: (.*)$", host.run("cat", "/proc/net/snmp").stdout, re.M)
    return int(dict(zip(names.split(), numbers.split(), strict=True))["InEchos"])


def test_each_host_has_systemd_as_its_first_process_and_an_address_of_its_own(box: Box) -> None:
    for host in box.hosts.values():
        assert (host.proc / "1/comm").read_text() == "systemd\n"
        assert host.run("hostname").stdout == f"{host.name}\n"
        assert f"inet {host.ip}/24" in host.run("ip", "address", "show", "eth0").stdout
    assert len({host.ip for host in box.hosts.values()}) == 3
    assert len({host.run("cat", "/etc/machine-id").stdout for host in box.hosts.values()}) == 3


def test_hosts_and_the_seat_reach_each_other(box: Box, h1: Host) -> None:
    assert _answers(h1, box.hosts["h2"].ip)
    assert _answers(h1, box.seat.ip)
    said = box.seat.run("ssh-keyscan", "-T", "5", h1.ip).stdout
    assert "ssh-ed25519" in said


def test_a_program_runs_as_the_user_that_was_named(h1: Host) -> None:
    assert h1.run("cat", user="alice", text="what it reads").stdout == "what it reads"
    assert h1.run("id", "--user", "--name", user="bob").stdout == "bob\n"


def test_a_program_that_fails_is_said_with_its_words(h1: Host) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        h1.run("ls", "/nowhere")
    assert "cannot access '/nowhere'" in raised.value.__notes__[0]
    assert h1.run("ls", "/nowhere", check=False).returncode == 2


def test_a_session_opened_through_pam_is_known_to_logind(h1: Host) -> None:
    what = ["-p", "PAMName=login", "-p", "User=alice", "--unit=at-desk", "sleep", "600"]
    h1.run("systemd-run", *what)
    until(lambda: "alice" in h1.run("loginctl", "list-sessions").stdout, what="alice's session")
    h1.run("systemctl", "stop", "at-desk")


def test_a_host_without_power_has_nothing_running_and_tells_nobody(box: Box, h1: Host) -> None:
    listener = "import socket; s = socket.create_server(('', 7)); s.accept()[0].recv(1)"
    h1.spawn("python3", "-c", listener)
    caller = (
        f"import socket\ns = socket.create_connection(('{h1.ip}', 7))\n"
        "print('in', flush=True)\ns.settimeout(1)\ntry: print(s.recv(1))\n"
        "except TimeoutError: print('silence')\n"
    )
    until(lambda: ":7 " in h1.run("ss", "-ltn").stdout, what="the listener listens")
    with _spoken(box, caller) as called:
        assert called.stdout is not None
        assert called.stdout.readline() == "in\n"
        processes = h1.processes()
        h1.power_off()
        assert called.stdout.readline() == "silence\n"
    assert not any(_lives(pid) for pid in processes)
    assert not h1.is_on
    assert h1.leader == 0
    assert not h1.proc.exists()
    h1.power_on()


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@contextlib.contextmanager
def _spoken(box: Box, program: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program in the seat, with its words to be read."""
    enter = ["ip", "netns", "exec", f"{PREFIX}-seat", sys.executable, "-c", program]
    with subprocess.Popen(enter, stdout=subprocess.PIPE, text=True) as started:
        yield started


def test_a_host_keeps_its_disk_and_its_address_over_a_power_cut(box: Box, h1: Host) -> None:
    address = h1.ip
    h1.run("sh", "-c", "echo kept > /srv/kept; echo gone > /run/gone; sync")
    h1.power_off()
    assert (h1.root / "srv/kept").read_text() == "kept\n"
    h1.power_on()
    assert h1.run("cat", "/srv/kept").stdout == "kept\n"
    assert h1.run("test", "-e", "/run/gone", check=False).returncode == 1
    assert h1.ip == address
    assert _answers(box.hosts["h2"], address)


def test_a_host_that_is_off_says_so(h1: Host) -> None:
    h1.power_off()
    assert h1.processes() == []
    with pytest.raises(RuntimeError, match=r"h1 cannot run true: it is off; power it on first"):
        h1.run("true")
    with pytest.raises(RuntimeError, match=r"h1 cannot run true: it is off"):
        h1.spawn("true")
    h1.power_off()  # once more does no harm
    h1.power_on()
    with pytest.raises(RuntimeError, match=r"h1 cannot be powered on: it is on"):
        h1.power_on()


def test_a_cable_that_is_cut_carries_nothing_until_it_is_healed(box: Box, h1: Host) -> None:
    box.network.cut("h1")
    assert not _ping(box.hosts["h2"], h1.ip)
    assert "NO-CARRIER" in h1.run("ip", "link", "show", "eth0").stdout
    box.network.heal("h1")
    assert _answers(box.hosts["h2"], h1.ip)


def test_a_cable_stays_cut_over_a_power_cycle(box: Box, h1: Host) -> None:
    box.network.cut("h1")
    h1.power_off()
    h1.power_on()
    assert not _ping(box.hosts["h2"], h1.ip)
    box.network.heal("h1")
    assert _answers(box.hosts["h2"], h1.ip)


def test_the_seat_can_be_cut_off_as_well(box: Box, h1: Host) -> None:
    box.network.cut("seat")
    assert not _ping(h1, box.seat.ip)
    assert _answers(h1, box.hosts["h2"].ip)
    box.network.heal("seat")
    assert _answers(h1, box.seat.ip)


@pytest.mark.parametrize(("way", "heard"), [(Way.OUT, 1), (Way.IN, 0)])
def test_what_is_lost_one_way_only_still_comes_the_other_way(
    box: Box, h1: Host, way: Way, heard: int
) -> None:
    assert _answers(box.hosts["h2"], h1.ip)
    before = _echoes_heard(h1)
    box.network.one_way("h1", way)
    assert not _ping(box.hosts["h2"], h1.ip)
    assert _echoes_heard(h1) - before == heard
    box.network.heal("h1")
    assert _answers(box.hosts["h2"], h1.ip)


def test_a_bad_wire_is_put_in_while_everything_runs(box: Box, h1: Host) -> None:
    box.network.lossy("h1", 50, 0)
    assert _answers(box.hosts["h2"], h1.ip) >= 100  # fifty there, fifty back
    box.network.lossy("h1", 0, 100)
    assert not _ping(box.hosts["h2"], h1.ip)
    box.network.heal("h1")
    assert _answers(box.hosts["h2"], h1.ip)


def test_troubles_add_up_and_are_there_again_after_a_power_cut(box: Box, h1: Host) -> None:
    box.network.one_way("h1", Way.OUT)
    box.network.lossy("h1", 20, 0)
    assert not _ping(box.hosts["h2"], h1.ip)
    h1.power_off()
    h1.power_on()
    assert not _ping(box.hosts["h2"], h1.ip)
    box.network.heal("h1")
    assert _answers(box.hosts["h2"], h1.ip)


def test_a_slow_line_lets_no_more_through_than_it_can(box: Box, h1: Host) -> None:
    h1.run("truncate", "--size=3M", "/srv/file")
    h1.spawn("python3", "-m", "http.server", "--directory=/srv", "8000")
    until(lambda: ":8000 " in h1.run("ss", "-ltn").stdout, what="the file is served")
    box.network.rate("h1", 16)
    said = box.seat.run(
        "curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", f"http://{h1.ip}:8000/file"
    )
    assert float(said.stdout) > 1  # 24 megabits, of which two are let through at once


def test_a_host_can_get_another_address(box: Box, h1: Host) -> None:
    old, new = h1.ip, f"{h1.ip.rpartition('.')[0]}.200"
    box.network.readdress("h1", new)
    assert h1.ip == new
    assert _answers(box.hosts["h2"], new)
    assert not _ping(box.hosts["h2"], old)
    h1.power_off()
    h1.power_on()
    assert _answers(box.hosts["h2"], new)
    box.network.readdress("h1", old)


def test_a_clone_has_the_same_disk_and_another_address(box: Box, h1: Host) -> None:
    h1.run("sh", "-c", "echo secret > /srv/key; chmod 600 /srv/key; rm /etc/ssh/moduli")
    twin = box.clone("h1", "h1b")
    assert twin.run("cat", "/srv/key", "/etc/machine-id").stdout == (
        h1.run("cat", "/srv/key", "/etc/machine-id").stdout
    )
    assert twin.run("test", "-e", "/etc/ssh/moduli", check=False).returncode == 1
    assert twin.ip != h1.ip
    assert _answers(h1, twin.ip)
    assert box.hosts["h1b"] is twin


def test_a_small_disk_is_really_full(box: Box) -> None:
    small, other = box.hosts["h3"], box.hosts["h2"]
    fill = ["dd", "if=/dev/zero", "of=/srv/big", "bs=1M", f"count={2 * _SMALL}"]
    assert "No space left on device" in small.run(*fill, check=False).stderr
    other.run(*fill)
    small.run("rm", "/srv/big")
    small.run("touch", "/srv/small")


def test_a_name_that_is_not_there_is_answered_with_those_that_are(box: Box) -> None:
    with pytest.raises(
        LookupError, match=r"nothing called h9 is at the switch; there are: seat, h1"
    ):
        box.network.cut("h9")
    with pytest.raises(LookupError, match=r"h9 cannot be cloned: there are h1, h2, h3"):
        box.clone("h9", "twin")
    for name in ("h2", "a-name-far-too-long"):
        with pytest.raises(ValueError, match=rf"{name} cannot be at the switch"):
            box.clone("h1", name)


@pytest.mark.parametrize("count", [-1, 245])
def test_a_box_of_too_many_hosts_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"a box of {count} hosts cannot be"):
        Box(count)


def test_a_second_run_with_the_same_names_leaves_the_first_alone(box: Box, h1: Host) -> None:
    with pytest.raises(RuntimeError, match=r"another run uses .* or the prefix"), Box(1):
        pass
    assert h1.run("true").returncode == 0
