"""Where an installed version is read, and what is said when it cannot be."""

import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Ended
from agent.steps.check_health import check_health
from agent.steps.survey import survey
from agent.steps.table import Failed
from agent.steps.versions import app_version, read_version
from agent.wire.profile import VersionKind, VersionReader
from tests.steps.bench import Bench, FastLinux, SmallWork

_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run things as others")


def _read(bench: Bench, kind: VersionKind, source: str, pattern: str = "(.+)") -> tuple[str, str]:
    found = read_version(bench.work(), VersionReader(kind, source, pattern))
    return found.version, found.why


def _says(bench: Bench, reader: VersionReader) -> SmallWork:
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, version=reader))
    return bench.work()


def test_a_file_below_the_apps_folder(bench: Bench) -> None:
    assert _read(bench, VersionKind.FILE, "version.txt", "^app=(.+)$") == ("1.0", "")
    assert _read(bench, VersionKind.FILE, "version.txt", "^none=(.+)$")[1] == (
        'cannot read a version: "version.txt" does not tell one'
    )
    assert "No such file" in _read(bench, VersionKind.FILE, "not/there")[1]


def test_a_link_that_a_user_put_there_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("app=9.9")
    (bench.app / "version.txt").unlink()
    (bench.app / "version.txt").symlink_to(tmp_path / "secret")
    (bench.app / "linked").symlink_to(tmp_path)

    for source in ("version.txt", "linked/secret"):
        version, why = _read(bench, VersionKind.FILE, source, "^app=(.+)$")
        assert (version, why[:22]) == ("", "cannot read a version:")


def test_a_pipe_in_its_place_blocks_nobody(bench: Bench) -> None:
    (bench.app / "version.txt").unlink()
    os.mkfifo(bench.app / "version.txt")

    assert _read(bench, VersionKind.FILE, "version.txt")[0] == ""


def test_of_an_endless_file_only_the_beginning_is_read(bench: Bench) -> None:
    (bench.app / "version.txt").write_bytes(b"\n" * 2**20 + b"app=1.0")

    assert _read(bench, VersionKind.FILE, "version.txt", "^app=(.+)$")[0] == ""


@pytest.mark.parametrize("text", ["app=" + "1" * 65, "app=1\x1b[0m"])
def test_what_is_not_fit_to_be_shown_is_no_version(bench: Bench, text: str) -> None:
    (bench.app / "version.txt").write_text(text)

    assert _read(bench, VersionKind.FILE, "version.txt", "^app=(.+)$")[0] == ""


class _Dpkg(FastLinux):
    """A host whose dpkg answers what the test says."""

    answer: Ended | OSError = Ended(0, "")

    def run(self, argv: object, cwd: object, seconds: float, going: object) -> Ended:
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "version", "why"),
    [
        (Ended(0, "installed|2:1.4-1"), "2:1.4-1", ""),
        (Ended(0, "half-configured|1.4"), "", "it is half-configured, not installed"),
        (Ended(0, "not-installed|"), "", "it is not installed"),
        (Ended(1, "no packages found matching app"), "", "it is not installed"),
        (OSError('cannot run "dpkg-query": no such file'), "", 'cannot run "dpkg-query"'),
    ],
)
def test_an_installed_package(
    bench: Bench, answer: Ended | OSError, version: str, why: str
) -> None:
    bench.platform = platform = _Dpkg()
    platform.answer = answer

    found, told = _read(bench, VersionKind.DPKG, "office-app")

    assert found == version
    assert why in told
    assert ('the package "office-app"' in told) is bool(why)


def test_a_package_that_this_very_system_has(bench: Bench) -> None:
    assert _read(bench, VersionKind.DPKG, "dpkg")[0] != ""
    assert _read(bench, VersionKind.DPKG, "no-such-package-at-all")[0] == ""


@contextmanager
def _page(text: bytes, status: int = 200) -> Iterator[int]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_page_of_this_host(bench: Bench) -> None:
    with _page(b"This is version 1.4 of it") as port:
        bench.values["port"] = str(port)
        url = "http://127.0.0.1:{port}/about"
        assert _read(bench, VersionKind.HTTP, url, r"version (\S+)") == ("1.4", "")
    version, why = _read(bench, VersionKind.HTTP, url, r"version (\S+)")
    assert version == ""
    assert 'the page "http://127.0.0.1:{port}/about"' in why


def test_a_page_with_another_status_or_a_value_that_is_missing_tells_no_version(
    bench: Bench,
) -> None:
    with _page(b"version 1.4", status=503) as port:
        url = f"http://127.0.0.1:{port}/"
        assert "it says 503" in _read(bench, VersionKind.HTTP, url, r"version (\S+)")[1]
    why = _read(bench, VersionKind.HTTP, "http://127.0.0.1:{elsewhere}/", r"version (\S+)")[1]
    assert "no value for elsewhere" in why


def test_of_an_endless_page_only_the_beginning_is_read(bench: Bench) -> None:
    with _page(b" " * 2**20 + b"version 1.4") as port:
        url = f"http://127.0.0.1:{port}/"
        assert _read(bench, VersionKind.HTTP, url, r"version (\S+)")[0] == ""


def _program(bench: Bench, code: str, *arguments: str) -> VersionReader:
    """Put a shell script into the app, where anybody may run it."""
    program = bench.app / "bin/about"
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    for folder in (program, *program.parents):
        if folder != Path("/") and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o555 if folder == program else 0o755)
    return VersionReader(VersionKind.PROGRAM, "bin/about", r"version (\S+)", arguments)


@_AS_ROOT
def test_what_a_program_of_the_app_prints_run_without_rights(bench: Bench) -> None:
    reader = _program(bench, 'echo "version 1.4 for $(id -un) with $1"', "--of", "{folder}")

    found = read_version(bench.work(), reader)

    assert (found.version, found.why) == ("1.4", "")
    reader = replace(reader, pattern="for (.+) with")
    assert read_version(bench.work(), reader).version == "nobody"


@_AS_ROOT
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("echo version 1.4; exit 3", "it ends with code 3"),
        ("echo nothing", "does not tell one"),
    ],
)
def test_a_program_that_does_not_end_well_tells_no_version(
    bench: Bench, code: str, why: str
) -> None:
    found = read_version(bench.work(), _program(bench, code))

    assert found.version == ""
    assert 'the program "bin/about"' in found.why
    assert why in found.why


class _Patient(FastLinux):
    def run_as_nobody(self, argv: object, cwd: object, seconds: float) -> Ended:
        return Ended(None, f"version 1.4 after {seconds} s")


def test_a_program_that_does_not_end_tells_no_version(bench: Bench) -> None:
    bench.platform = _Patient()

    found = read_version(bench.work(), VersionReader(VersionKind.PROGRAM, "bin/app", "(.+)"))

    assert found.version == ""
    assert "it does not end within 10 s" in found.why


@_AS_ROOT
def test_a_program_that_users_may_have_replaced_is_never_run_as_root(bench: Bench) -> None:
    owned = bench.root / "owned"
    reader = _program(bench, f"touch {owned} && echo version 6.6.6")

    assert read_version(bench.work(), reader).version == ""
    assert not owned.exists()


@pytest.mark.parametrize(
    ("kind", "source", "none"),
    [
        (VersionKind.REGISTRY, "HKLM\\Software\\App\\Version", "no registry"),
        (VersionKind.BUNDLE, "App.app", "no application bundles"),
    ],
)
def test_what_this_system_does_not_have_is_said_in_the_survey(
    bench: Bench, kind: VersionKind, source: str, none: str
) -> None:
    work = _says(bench, VersionReader(kind, source))

    survey(work)

    found = next(finding for finding in work.findings if finding.code == "version-unread")
    assert f"this system (linux) has {none}" in found.message
    assert app_version(work) == ""


def test_a_version_that_only_the_running_app_tells_is_asked_once_it_runs(bench: Bench) -> None:
    with _page(b"version 1.1") as port:
        bench.values["port"] = str(port)
        (bench.app / "version.txt").write_text("app=1.1\nservice_manager=1.1\n")
        bench.open_app("bin/updater")
        reader = VersionReader(VersionKind.HTTP, "http://127.0.0.1:{port}/", r"version (\S+)")
        manager = replace(bench.profile.service_manager, programs=("bin/updater",))
        bench.profile = replace(bench.profile, service_manager=manager)
        work = _says(bench, reader)

        check_health(work)

        assert work.facts["app_version"] == "1.1"


def test_a_running_app_of_another_version_is_found_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, timeout="1")
    try:
        with _page(b"version 1.0") as port:
            bench.values["port"] = str(port)
            bench.open_app("bin/updater")
            manager = replace(
                bench.profile.service_manager, programs=("bin/updater",), version=None
            )
            health = replace(bench.profile.health, http="", http_pattern="")
            bench.profile = replace(bench.profile, service_manager=manager, health=health)
            url = "http://127.0.0.1:{port}/"
            work = _says(bench, VersionReader(VersionKind.HTTP, url, r"version (\S+)"))

            with pytest.raises(Failed, match=r"the app says 1\.0, not 1\.1"):
                check_health(work)
    finally:
        bench.close()
