"""Prints the part of requirements.lock that an agent needs, as pip reads it, hashes and all.

usage: python deploy/deb/requirements.py

What each package is there for stands below it in the lock ("# via NAME"): from the base
dependencies of pyproject.toml on, whatever is there for one that is taken is taken too. pip, told
to require hashes, refuses what would be too little.
"""

import re
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def agents_part(lock: str, project: str) -> str:
    """Return the blocks of `lock` that the base dependencies of `project` lead to."""
    wanted = {_named(text) for text in tomllib.loads(project)["project"]["dependencies"]}
    blocks = {_named(block): block for block in re.split(r"\n(?=[^\s#])", lock)[1:]}
    if unknown := wanted - set(blocks):
        raise ValueError(f"requirements.lock lacks {', '.join(sorted(unknown))}: run make lock")
    taken: set[str] = set()
    while wanted:
        taken |= wanted
        wanted = {name for name in blocks if _reasons(blocks[name]) & taken} - taken
    return "".join(f"{blocks[name].strip()}\n" for name in sorted(taken))


def _named(text: str) -> str:
    found = _NAME.match(text)
    return re.sub(r"[._-]+", "-", found.group()).lower() if found else ""


def _reasons(block: str) -> set[str]:
    via = "".join(re.findall(r"^ +# (?:via )?(.*)", block, re.MULTILINE)).replace(",", " ")
    return {_named(word) for word in via.split()}


def main() -> None:
    """Print it."""
    lock, project = (_ROOT / name for name in ("requirements.lock", "pyproject.toml"))
    sys.stdout.write(agents_part(lock.read_text("utf-8"), project.read_text("utf-8")))


if __name__ == "__main__":
    main()
