"""What of the lock an agent's package takes along: all that it needs, and no more."""

import re
from importlib.metadata import requires

import pytest

from deploy.deb.requirements import agents_part
from tests.house.source import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
SMALL = """# made by hand
one==1.0 \\
    --hash=sha256:11
    # via
    #   four
    #   roundsman (pyproject.toml)
three==3.0 \\
    --hash=sha256:33
    # via four
two-b==2.0 \\
    --hash=sha256:22
    # via one, three
"""


def project(*dependencies: str) -> str:
    return f"[project]\ndependencies = {list(dependencies)}\n"


def names(part: str) -> list[str]:
    return re.findall(r"^([a-z0-9-]+)==", part, re.MULTILINE)


def test_what_the_agent_imports_is_in_it_and_nothing_of_the_coordinator_or_the_workshop() -> None:
    taken = set(names(agents_part(LOCK, PROJECT)))
    assert {"pyro5", "serpent", "cffi", "six", "zstandard"} <= taken
    assert not {"dbos", "sqlalchemy", "typer", "pytest", "setuptools", "mypy"} & taken


def test_whatever_a_package_in_it_needs_on_linux_is_in_it_too() -> None:
    taken = set(names(agents_part(LOCK, PROJECT)))
    for name in taken:
        needed = [text for text in requires(name) or [] if ";" not in text]
        wanted = {re.sub(r"[._-]+", "-", re.split(r"[^\w.-]", n)[0]).lower() for n in needed}
        assert wanted <= taken, name


def test_each_has_its_hashes() -> None:
    part = agents_part(LOCK, PROJECT)
    for block in re.split(r"\n(?=[a-z])", part):
        assert "--hash=sha256:" in block


def test_reasons_are_read_in_one_line_or_several() -> None:
    assert names(agents_part(SMALL, project("One>=1"))) == ["one", "two-b"]
    assert names(agents_part(SMALL, project("three", "two_b"))) == ["three", "two-b"]


def test_a_lock_that_lacks_a_dependency_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks five: run make lock"):
        agents_part(SMALL, project("one", "five>=5"))
