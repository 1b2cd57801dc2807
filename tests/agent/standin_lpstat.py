"""A stand-in for lpstat: prints what is in `jobs` beside it, after the real one's manner.

The file `hangs` has it wait for a printer that never answers, `fails` has it say that the
scheduler does not run. It refuses to speak any language but the C locale's.
"""

import os
import signal
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    if sys.argv[1:] != ["-o"] or os.environ.get("LC_ALL") != "C":
        sys.exit("lpstat: asked for what this stand-in does not know")
    if (FOLDER / "hangs").exists():
        signal.pause()
    if (FOLDER / "fails").exists():
        sys.exit("lpstat: Bad file descriptor")
    sys.stdout.buffer.write((FOLDER / "jobs").read_bytes())


main()
