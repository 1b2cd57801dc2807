from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from coordinator.store.database import open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    yield engine
    engine.dispose()
