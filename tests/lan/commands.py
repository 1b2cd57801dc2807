"""How the box has the machine do things: one program at a time, and its words when it cannot."""

import subprocess


def do(*command: str, text: str = "") -> str:
    """Run a program to its end and return what it printed; raise RuntimeError with its words."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise RuntimeError(f"{' '.join(command)} {text}: cannot be done: {said}")
    return done.stdout


def ip(namespace: str, *lines: str) -> None:
    """Have `ip` carry out these lines in a network namespace, up to the first that fails."""
    do("ip", "-netns", namespace, "-batch", "-", text="\n".join(lines) + "\n")


def nft(namespace: str, rules: str) -> None:
    """Add these rules to a network namespace's netfilter."""
    do("ip", "netns", "exec", namespace, "nft", "-f", "-", text=rules)
