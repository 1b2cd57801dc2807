import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.office import Office


@pytest.fixture
def office() -> Iterator[Office]:
    """A host whose users have every right in the app's folder, and can get there."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    root = Path(tempfile.mkdtemp(prefix="roundsman-hostile-", dir="/tmp"))
    try:
        here = Office(root)
        yield here
        here.close()
    finally:
        shutil.rmtree(root)
