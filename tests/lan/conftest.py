"""A test of a fault says what it did and what became of it; kept only when the test passed."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.lan.faults import Row, tell

_passed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test itself passed."""
    report = yield
    if call.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Iterator[Callable[[Row], None]]:
    """Take the rows of a test, for the page of faults."""
    rows: list[Row] = []
    yield rows.append
    if request.node.stash.get(_passed, False):
        for row in rows:
            tell(row)
