from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trust.keyring import Agent
from tests.trust.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path / "office").open() as office:
        yield office


@pytest.fixture
def agent(office: Office) -> Iterator[Agent]:
    agent = Agent(office)
    with agent.https:
        yield agent
