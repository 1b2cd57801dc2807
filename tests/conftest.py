"""What holds for every test."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.dealt import dealt

# a shell has what it starts in the background ignore Ctrl-C, and so would the programs we start
signal.signal(signal.SIGINT, signal.default_int_handler)

# how fast this machine is says nothing about the product
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

# a LAN of virtual workstations: root, a minute, and one at a time; see `make test-lan`
collect_ignore = [] if os.environ.get("ROUNDSMAN_LAN") == "1" else ["lan"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which they are done soonest."""
    hands = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [items[i] for i in dealt([item.nodeid for item in items], hands)]


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the programs that the test starts leave no figures of coverage.

    For tests of what others have counted already: taking the figures takes half as long again.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
