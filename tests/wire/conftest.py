"""One CA for the whole run: keys take time to make."""

from pathlib import Path

import pytest

from tests.wire.pki import TestCa


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCa:
    return TestCa(Path(tmp_path_factory.mktemp("ca")))


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> TestCa:
    return TestCa(Path(tmp_path_factory.mktemp("other-ca")), "another CA")
