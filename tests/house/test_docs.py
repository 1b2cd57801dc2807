"""The documents keep their promises: decisions are found, commands exist, no path is foreign."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.house.source import ROOT

ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
MOST_LINES = 40
NAMED = re.compile(r"(?:`|^ {0,4}|^exec )make ((?:[a-z]+ ?)+)(?:`|$|  #)", re.MULTILINE)
TEXT = {".cfg", ".html", ".md", ".py", ".sh", ".toml", ".txt", ".yml", ""}
ABROAD = (
    rf"(?<![\w/]){re.escape(str(ROOT))}/",
    r"\.\./" + "shared",
)


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


FILES = [file for file in tracked_files() if file.suffix in TEXT]


@pytest.mark.parametrize("adr", ADRS, ids=lambda adr: adr.stem)
def test_each_decision_is_short_whole_and_in_the_index(adr: Path) -> None:
    text = adr.read_text("utf-8")
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    title = text.splitlines()[0].removeprefix("# ")
    assert f"]({adr.name})" in index
    assert title.split(" ", 1)[1] in index
    assert text.count("\n") <= MOST_LINES
    for part in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
        assert part in text


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))
    assert len(ADRS) >= 14


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_names_a_path_outside_the_project(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not [found for abroad in ABROAD for found in re.findall(abroad, text)]


@pytest.mark.parametrize("file", sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md")))
def test_links_between_documents_lead_somewhere(file: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (file.parent / target).exists()]


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))


def test_make_has_every_target_that_the_documents_name() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / ".ci" / "run"]
    named = {
        target
        for document in documents
        for words in NAMED.findall(document.read_text("utf-8"))
        for target in words.split()
    }
    assert named <= make_targets()
    assert {"demo", "test", "lint", "bench", "lock", "venv", "clean"} <= make_targets()
