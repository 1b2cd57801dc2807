"""The addresses that a profile names are tried by the survey (row S6)."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.reach import why_not_reached
from agent.steps.survey import survey
from agent.wire.contract import Severity
from tests.steps.bench import WAITING, Bench, script, write_tree


@pytest.fixture
def open_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def test_an_address_that_answers_is_told_from_one_that_does_not(
    tmp_path: Path, open_port: str
) -> None:
    bench = Bench(tmp_path)
    closed = _closed_port()
    bench.values |= {"licences": "127.0.0.1", "way": open_port}
    reach = ("{licences}:{way}", f"127.0.0.1:{closed}")
    bench.profile = replace(bench.profile, reach=reach)
    work = bench.work()

    survey(work)

    found = [f for f in work.findings if f.code == "not-reached"]
    assert [f.severity for f in found] == [Severity.BLOCKS]
    assert f"cannot reach 127.0.0.1:{closed}" in found[0].message
    assert work.facts["reached"] == "1 of 2"


def test_a_value_that_the_host_does_not_give_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.profile = replace(bench.profile, reach=("{licences}:443",))
    work = bench.work()

    survey(work)

    assert "value-missing" in work.found
    assert "not-reached" not in work.found


@pytest.mark.parametrize(
    ("peer", "why"),
    [
        ("127.0.0.1:no-port", "is no port: agent.toml must give a number"),
        ("127.0.0.1:0", "is no port"),
        ("127.0.0.1:65536", "is no port"),
        (f"{'x' * 70}.invalid:443", ""),
        ("not a name:443", ""),
    ],
)
def test_what_is_no_address_is_said(peer: str, why: str) -> None:
    assert why in why_not_reached(peer)
    assert why_not_reached(peer)


def test_a_service_manager_that_runs_without_answering_on_its_port_is_said(
    tmp_path: Path, open_port: str
) -> None:
    bench = Bench(tmp_path, port=int(_closed_port()))
    write_tree(bench.app, {"bin/manager": script(WAITING)})
    quiet, silent, well = bench.work(), bench.work(), bench.work()
    try:
        survey(quiet)
        bench.open_app("bin/manager")
        survey(silent)
        bench.values["port"] = open_port
        survey(well)
    finally:
        bench.close()

    assert "port-silent" not in quiet.found
    assert "port-silent" in silent.found
    assert "port-silent" not in well.found


def test_an_address_of_ipv6_is_tried() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert why_not_reached(f"[::1]:{server.getsockname()[1]}") == ""
