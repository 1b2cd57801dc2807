"""A process that reads one signed profile as an agent does, by whatever clock it was given.

    python -m tests.trust.reader STATE HOST_ID ADDRESS NAME SHA256

Prints what came of it: "accepted", or the words of the refusal.
"""

import sys
from pathlib import Path

from agent.packages import SignedPackages
from agent.steps.table import Refused
from agent.wire.contract import Target
from agent.wire.https import Https


def main() -> None:
    """Read the profile and say what came of it."""
    state, host_id, address, name, sha256 = sys.argv[1:]
    with Https(address, Path(state) / "ca.pem") as https:
        try:
            SignedPackages(Path(state), host_id, https).profile(Target(name, sha256))
        except Refused as error:
            sys.stdout.write(f"{error}\n")
        else:
            sys.stdout.write("accepted\n")


if __name__ == "__main__":
    main()
