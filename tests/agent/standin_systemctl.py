"""A stand-in for systemctl that behaves as the real one: state in files, real processes.

Units are `<name>.json` files with an `argv`; a drop-in is known only after `daemon-reload`, and
until the next one, deleted or not. While one of its conditions does not hold a start does nothing
and says nothing, as systemd's. Each reading of the units is a line in `reloads`.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
UNITS = FOLDER / "units"


def loaded(unit: str) -> dict[str, object]:
    file = FOLDER / f"{unit}.json"
    if not file.exists():
        sys.exit(f"Unit {unit} not loaded.")
    return dict(json.loads(file.read_text()))


def save(unit: str, about: dict[str, object]) -> None:
    fresh = FOLDER / f"{unit}.{os.getpid()}"  # another call of it may be reading
    fresh.write_text(json.dumps(about))
    fresh.replace(FOLDER / f"{unit}.json")


def alive(pid: object) -> bool:
    try:
        return bool(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def show(unit: str) -> None:
    about = loaded(unit)
    pid = about["pid"] if alive(about["pid"]) else 0
    known = " ".join(dict(about.get("known", {})))  # type: ignore[call-overload]
    state = "active" if pid else "inactive"
    sys.stdout.write(f"MainPID={pid}\nActiveState={state}\nDropInPaths={known}\n")


def conditions(about: dict[str, object]) -> list[str]:
    texts = dict(about.get("known", {})).values()  # type: ignore[call-overload]
    lines = [line for text in texts for line in text.splitlines()]
    return [line.partition("=")[2] for line in lines if line.startswith("ConditionPathExists=")]


def holds(condition: str) -> bool:
    return Path(condition.lstrip("!")).exists() is not condition.startswith("!")


def start(unit: str) -> None:
    about = loaded(unit)
    if alive(about["pid"]) or not all(map(holds, conditions(about))):
        return
    argv = list(about["argv"])  # type: ignore[call-overload]
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(argv, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
    save(unit, about | {"pid": child.pid})
    sys.stdout.flush()
    os._exit(0)


def stop(unit: str) -> None:
    about = loaded(unit)
    if alive(about["pid"]):
        os.kill(int(str(about["pid"])), signal.SIGKILL)
    save(unit, about | {"pid": 0})


def daemon_reload() -> None:
    for file in FOLDER.glob("*.json"):
        drop_ins = (UNITS / f"{file.stem}.d").glob("*.conf")
        save(file.stem, loaded(file.stem) | {"known": {str(d): d.read_text() for d in drop_ins}})
    with (FOLDER / "reloads").open("a") as reloads:
        reloads.write("daemon-reload\n")


def main() -> None:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    if words == ["daemon-reload"]:
        daemon_reload()
    else:
        {"show": show, "start": start, "stop": stop}[words[0]](words[1])


main()
