"""On what terms a release may be installed: its gates and its modules, signed with its package.

They are part of the manifest, so whoever can read a package has them too: the coordinator judges
by them when a plan is made and when a rollout starts, the agent when it puts the release in
place. A release that says nothing may be installed over anything older. Ranges are written as
Python's packages write them, ">=2.1,<3"; "" is any version.
"""

from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Text
from agent.wire.contract import Name, Version

MODULE_FACT = "module."
"""What a fact begins with that tells an installed module's version, "" = it cannot be read."""

Range = Annotated[str, Text(100, r"[0-9A-Za-z.,<>=!~* +-]*")]
Day = Annotated[str, Text(10, r"([0-9]{4}-[0-9]{2}-[0-9]{2})?")]
ModuleName = Annotated[str, Text(60, r"[A-Za-z0-9][A-Za-z0-9._-]*")]


@dataclass(frozen=True, slots=True)
class ModuleTerms:
    """What a release means for one module of the app (row S5)."""

    name: ModuleName
    version: Version = ""  # the one that the package brings; "" = it brings none
    works: Range = ""  # installed versions that work with the release as they are
    updates: Range = ""  # installed versions that can be updated to the one it brings
    needed: bool = False  # an installed one that does not work, and stays, blocks the host


@dataclass(frozen=True, slots=True)
class Terms:
    """What a release asks for before it may be installed, and what it brings along."""

    released: Day = ""  # compared with the end of an update contract
    editions: Annotated[tuple[Name, ...], Entries(20)] = ()  # that may install it; () = any
    contract: bool = False  # needs an update contract that had not ended when it was released
    over: Range = ""  # installed versions it can be put over: the minimum version to come from
    downgrade: bool = False  # may be put over a newer one (S4)
    roles: Annotated[tuple[Name, ...], Entries(20)] = ()  # which are updated first, in order
    modules: Annotated[tuple[ModuleTerms, ...], Entries(64)] = ()


NO_TERMS = Terms()
