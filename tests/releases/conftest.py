"""A vendor that this machine trusts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.releases.vendor import Vendor, trusting


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    """A vendor's server that is up, its authority among this system's."""
    made = Vendor()
    monkeypatch.setenv("SSL_CERT_FILE", trusting(made, tmp_path))
    with made.open():
        yield made
