"""What dpkg has installed is told as its package to whoever drafts a profile."""

import os
from pathlib import Path

import pytest

from agent.steps.observe import observe
from agent.wire.contract import StepName
from agent.wire.observed import joined
from tests.steps.packaged import packaged_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")


def test_an_application_that_dpkg_has_installed_is_told_with_its_package(tmp_path: Path) -> None:
    with packaged_host(tmp_path) as host:
        host.bench.open_app()
        work = host.bench.work(StepName.OBSERVE)

        observe(work)

        seen = joined(finding.message for finding in work.findings)
        (app,) = [one for one in seen.candidates if one.folder == str(host.bench.app)]
        assert (app.package, app.package_version) == (host.name, "1.0")
