import getpass
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Session
from agent.steps import service_manager
from agent.steps.check_health import check_health
from agent.steps.probes import page, why_no_answer
from agent.steps.rows import STEPS
from agent.steps.table import Failed
from agent.wire.contract import StepName
from tests.steps.bench import MANAGER, AtPause, Bench, SmallWork, release, script, write_tree
from tests.until import until

_READS_AT_EACH_REQUEST = MANAGER.replace(
    'text.split("=")[-1]',
    '(path.read_text() if (path := pathlib.Path(__file__).parent.parent / "said").exists() '
    'else "1.1")',
)


@pytest.fixture
def updated(tmp_path: Path) -> Iterator[Bench]:
    """A bench on 1.1, its service manager started as the step before does it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bench = Bench(tmp_path, port=port, timeout="20")
    write_tree(bench.app, release("1.1"))
    bench.log_in(Session("1", getpass.getuser(), active=True))
    yield bench
    bench.close()


def _started(bench: Bench) -> Bench:
    service_manager.start(bench.work(StepName.START_SERVICE_MANAGER))
    return bench


def _check(bench: Bench) -> SmallWork:
    work = bench.work(StepName.CHECK_HEALTH)
    STEPS[StepName.CHECK_HEALTH].do(work)
    return work


def test_a_host_that_is_back_is_confirmed(updated: Bench) -> None:
    work = _check(_started(updated))

    assert work.facts == {"app_version": "1.1", "service_manager_version": "1.1"}


def test_an_app_that_is_still_old_is_found_out_with_the_vendors_help(updated: Bench) -> None:
    write_tree(updated.app, release("1.0"))

    with pytest.raises(Failed, match=r"the app says 1\.0, not 1\.1; ask the vendor"):
        _check(updated)


def test_a_service_manager_that_is_still_old_is_found_out(updated: Bench) -> None:
    write_tree(updated.app, release("1.1", manager="1.0"))

    with pytest.raises(Failed, match=r"the service manager says 1\.0, not 1\.1"):
        _check(updated)


def test_a_service_manager_that_does_not_run_is_found_out(updated: Bench) -> None:
    with pytest.raises(Failed, match=r"the service manager does not run \(waited 20 s\)"):
        _check(updated)


def test_a_port_that_does_not_answer_is_found_out(updated: Bench) -> None:
    (updated.app / "bin/manager").write_bytes(script("import signal\nsignal.pause()\n"))

    with pytest.raises(Failed, match=f"port {updated.values['port']} does not answer"):
        _check(_started(updated))


def test_a_page_that_tells_another_version_is_found_out(updated: Bench) -> None:
    write_tree(updated.app, release("1.0"))
    _started(updated)
    until(lambda: why_no_answer(int(updated.values["port"])) == "")
    write_tree(updated.app, {"version.txt": release("1.1")["version.txt"]})

    with pytest.raises(Failed, match=r"/version says 1\.0, not 1\.1"):
        _check(updated)


def test_a_service_manager_that_dies_while_it_is_watched_is_found_out(updated: Bench) -> None:
    _started(updated)
    until(lambda: why_no_answer(int(updated.values["port"])) == "")
    (pid,) = updated.running()
    work = updated.work(StepName.CHECK_HEALTH)
    AtPause(work, 2, lambda: os.kill(pid, 9))

    with pytest.raises(Failed, match=f"pid {pid}. did not stay up"):
        check_health(work)


def test_what_is_well_at_first_is_asked_again_all_along(updated: Bench) -> None:
    soak = replace(updated.profile.health, soak_seconds=1000.0)
    updated.profile = replace(updated.profile, health=soak)
    (updated.app / "bin/manager").write_bytes(script(_READS_AT_EACH_REQUEST))
    _started(updated)
    until(lambda: why_no_answer(int(updated.values["port"])) == "")
    work = updated.work(StepName.CHECK_HEALTH)
    AtPause(work, 30, lambda: (updated.app / "said").write_text("9.9"))

    with pytest.raises(Failed, match=r"/version says 9\.9, not 1\.1"):
        check_health(work)


def test_a_service_manager_that_comes_up_slowly_is_waited_for(updated: Bench) -> None:
    patient = replace(updated.profile.health, timeout_seconds=3600.0)
    updated.profile = replace(updated.profile, health=patient)
    timer = threading.Timer(0.3, _started, (updated,))
    timer.start()
    try:
        _check(updated)
    finally:
        timer.join()


def test_without_a_port_and_a_page_the_process_is_enough(updated: Bench) -> None:
    bare = replace(updated.profile.health, port="", http="", http_pattern="")
    updated.profile = replace(updated.profile, health=bare)
    (updated.app / "bin/manager").write_bytes(script("import signal\nsignal.pause()\n"))

    _check(_started(updated))


@pytest.mark.parametrize("port", ["none", "0", "65536", "-1"])
def test_a_port_that_is_no_number_is_said_at_once(updated: Bench, port: str) -> None:
    _started(updated)
    updated.values = {"port": port}

    with pytest.raises(Failed, match=r"agent\.toml must give a number"):
        _check(updated)


def test_a_crash_while_checking_leaves_the_service_manager_spared(updated: Bench) -> None:
    _started(updated)
    updated.guard.spared.clear()
    recover = STEPS[StepName.CHECK_HEALTH].recover
    assert recover is not None

    recover(updated.work(StepName.CHECK_HEALTH))

    assert len(updated.guard.spared) == 1


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/moved": 302, "/broken": 500}.get(self.path, 200))
        self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write(b"x" * (3 * 2**20 if self.path == "/long" else 5))

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "status"), [("/moved", "302"), ("/broken", "500")])
def test_only_a_page_that_is_there_counts(site: str, path: str, status: str) -> None:
    with pytest.raises(ValueError, match=f"it says {status}"):
        page(site + path)


def test_no_more_than_a_bounded_part_of_a_page_is_read(site: str) -> None:
    assert len(page(f"{site}/long")) == 2**20


def test_something_that_speaks_no_http_is_said_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(b"SSH-2.0-something\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match="does not speak HTTP"):
            page(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()


def test_a_port_that_answers_is_told_from_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert why_no_answer(port) == ""
    assert f"port {port} does not answer" in why_no_answer(port)
