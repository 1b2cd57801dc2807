"""Reads `coverage json` from standard input and fails when too few branches were taken.

usage: coverage json -q -o - | python deploy/branches.py PERCENT

`coverage report --fail-under` counts lines and branches together; the promise is on branches.
"""

import json
import sys


def main(limit: str) -> int:
    """Print the share of branches taken; return 1 when it is below the limit."""
    totals = json.load(sys.stdin)["totals"]
    share = 100 * totals["covered_branches"] / totals["num_branches"]
    print(f"branches taken: {share:.1f} % (at least {limit} %)")
    return 0 if share >= float(limit) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
