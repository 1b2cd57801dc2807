from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notify.rollout import Mailed
from tests.notify.server import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[Mailed]:
    made = Mailed(tmp_path).start()
    yield made
    made.close()
