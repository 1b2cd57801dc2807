"""Notes what each host of the demo owns, and judges the disks after a rollout.

usage: inspector.py note CONFIG NOTED      before the rollout
       inspector.py check CONFIG NOTED     after it; prints the violations and what was found
       inspector.py ask FOLDER             prints what the service manager of the app there answers

CONFIG is what `witness.py` describes. The inspector compares with the release's own zip and
with what it noted: versions, every file of the app, every file that the host owns (content,
mode, owner, time of change), each user's saved work, what was written and not saved, what the
service manager answers, and the data that the office shares: as the new release left it where a
host has that, else, when that data goes one way, exactly as it was.

What was not saved must be somewhere byte for byte: in one of the folders that the host's `drafts`
in CONFIG name, {what is there: folder}. Its words are what the app itself noted before.
"""

import configparser
import hashlib
import json
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OWN = ("config", "prefs", "certs", "data", "archive")
_GROWING = "data/*.txt"

Json = dict[str, Any]


def violation(kind: str, host: str, detail: str) -> Json:
    """Return one thing that must not be, as it is printed."""
    return {"kind": kind, "host": host, "other": "", "from": None, "to": None, "detail": detail}


def note_host(folder: Path) -> Json:
    """Return what identifies each file that an update must leave as it is."""
    growing = set(folder.glob(_GROWING))
    files = [f for own in _OWN for f in sorted((folder / own).rglob("*")) if f.is_file()]
    return {str(f.relative_to(folder)): _identity(f) for f in files if f not in growing}


def _identity(file: Path) -> list[object]:
    facts = file.stat()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return [digest, oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_mtime_ns]


def judge_disk(host: Json, noted: Json, release: Path) -> Iterator[Json]:
    """Yield what is wrong on one host's disk: version, content, what it owns."""
    name, folder = host["name"], Path(host["folder"])
    found = read_versions(folder)
    for part in ("app", "service_manager"):
        if found.get(part) != host["expected"]:
            detail = f"{part} is {found.get(part)}, not {host['expected']}"
            yield violation("version", name, detail)
    for path, detail in _differences(noted, note_host(folder)):
        yield violation("not-kept", name, f"{path}: {detail}")
    for path, detail in _differences(_content_of(release), _content_in(folder)):
        yield violation("content", name, f"{path}: {detail}")


def read_versions(folder: Path) -> dict[str, str]:
    """Return the versions that are installed, {} when nothing is."""
    file = folder / "VERSION"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _differences(wanted: Json, found: Json) -> Iterator[tuple[str, str]]:
    for path in sorted(wanted.keys() | found.keys()):
        if path not in found:
            yield path, "is not there"
        elif path not in wanted:
            yield path, "was not there before"
        elif wanted[path] != found[path]:
            yield path, f"is {found[path]}, not {wanted[path]}"


def _content_of(release: Path) -> Json:
    if release.is_dir():
        return _content_in(release)
    with zipfile.ZipFile(release) as package:
        names = package.namelist()
        return {name: hashlib.sha256(package.read(name)).hexdigest() for name in names}


def _content_in(folder: Path) -> Json:
    files = (f for f in folder.rglob("*") if f.is_file())
    paths = {str(f.relative_to(folder)): f for f in files}
    return {
        path: hashlib.sha256(file.read_bytes()).hexdigest()
        for path, file in paths.items()
        if path.split("/")[0] not in _OWN
    }


def judge_work(host: Json) -> Iterator[Json]:
    """Yield each client that saved when it closed and whose work is not on the disk."""
    for pid, user in _closed_clients(host).items():
        draft = Path(host["folder"]) / "data" / f"{user}.txt"
        saved = draft.read_text("utf-8").splitlines() if draft.is_file() else []
        if not any(entry.startswith(f"saved {pid} ") for entry in saved):
            yield violation("lost-work", host["name"], f"what {user} saved (pid {pid}) is lost")


def _closed_clients(host: Json) -> dict[str, str]:
    """Return the clients that said that they saved and closed: pid and user."""
    closed = [line.split() for line in _lines(host, "") if line.startswith("close ")]
    unsaved = {str(note["pid"]) for note in _notes(host)}
    clients = {pid: user for _, pid, _, _, role, user in closed if role == "client"}
    return {pid: user for pid, user in clients.items() if pid not in unsaved}


def _lines(host: Json, beside: str) -> list[str]:
    """Return the lines of the host's evidence log, or of the file of this name beside it."""
    log = Path(host["evidence"])
    file = log.with_name(beside) if beside else log
    return file.read_text("utf-8").splitlines() if file.is_file() else []


def _notes(host: Json) -> list[Json]:
    return [json.loads(line) for line in _lines(host, "drafts.jsonl")]


def find_drafts(host: Json) -> list[Json]:
    """Return what was written and not saved: whose, how much, if asked about, where it is."""
    notes, places = _notes(host), host.get("drafts", {})
    asked = {note["pid"] for note in notes if "asked" in note}
    return [
        {
            "host": host["name"],
            "user": note["user"],
            "pid": note["pid"],
            "bytes": len(note["text"].encode()),
            "asked": note["pid"] in asked,
            "found": _where(note["text"].encode(), places),
        }
        for note in notes
        if "text" in note
    ]


def _where(content: bytes, places: Json) -> list[str]:
    """Return in which of the folders a file has exactly this content."""
    return [
        place
        for place, folder in places.items()
        if any(f.read_bytes() == content for f in Path(folder).rglob("*") if f.is_file())
    ]


def judge_drafts(drafts: list[Json]) -> Iterator[Json]:
    """Yield what was written, not saved, and is nowhere any more."""
    for draft in drafts:
        if not draft["found"]:
            detail = f"what {draft['user']} had not saved (pid {draft['pid']}) is lost"
            yield violation("lost-work", draft["host"], detail)


def judge_answer(host: Json) -> Iterator[Json]:
    """Yield what is wrong about the service manager's answer; silence is right when closed."""
    name, folder = host["name"], Path(host["folder"])
    answer = _ask_inside(host) if "proc" in host else _ask(folder)
    if host["running"] is None:
        return
    if answer is None:
        if host["running"]:
            yield violation("not-back", name, "the service manager does not answer")
    elif not host["running"]:
        yield violation("not-closed", name, "the service manager answers")
    else:
        for key, wanted in _right_answer(folder, host["expected"]).items():
            if answer.get(key) != wanted:
                detail = f"the service manager's {key} is {answer.get(key)}, not {wanted}"
                yield violation("not-back", name, detail)


def _right_answer(folder: Path, version: str) -> Json:
    preferences, certificate = sorted(folder.glob("prefs/*.json")), [folder / "certs/server.pem"]
    digests = [
        hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file()))
        for files in (preferences, certificate)
    ]
    return {
        "version": version,
        "prefs": digests[0].hexdigest(),
        "certificate": digests[1].hexdigest(),
    }


def _ask_inside(host: Json) -> Json | None:
    """Ask in the host's own network: what answers to itself alone cannot be asked from here."""
    command = ["nsenter", f"--net={host['proc']}/1/ns/net", sys.executable, "-I", __file__]
    asked = subprocess.run([*command, "ask", host["folder"]], stdout=subprocess.PIPE, check=False)
    answer: Json | None = json.loads(asked.stdout or "null")
    return answer


def _ask(folder: Path) -> Json | None:
    ini = configparser.ConfigParser()
    ini.read(folder / "config/app.ini", encoding="utf-8")
    port = ini.get("app", "port", fallback="0")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as reply:
            answer: Json = json.load(reply)
            return answer
    except (OSError, ValueError):
        return None


def note_share(share: Json | None) -> Json:
    """Return what identifies the office's shared data, but for the journal that grows."""
    if share is None:
        return {}
    files = [Path(share["folder"]) / name for name in ("schema", "ledger.db")]
    return {file.name: _identity(file) for file in files} | {"size": files[1].stat().st_size}


def judge_share(config: Json, noted: Json) -> Iterator[Json]:
    """Yield what is wrong with the data that the office shares."""
    share, hosts = config.get("share"), config["hosts"]
    if share is None:
        return
    folder = Path(share["folder"])
    after = {h["expected"] for h in hosts if h["expected"] != h["before"]}
    if after:
        yield from _judge_migrated(folder, max(after), noted["size"])
    elif share["one_way"]:
        for path, detail in _differences(noted, note_share(share)):
            yield violation("data-not-restored", "", f"{path}: {detail}")
    journal = (folder / "journal.txt").read_text("utf-8").splitlines()
    for host in hosts:
        for pid in _closed_clients(host):
            if not any(entry.startswith(f"saved {pid} ") for entry in journal):
                detail = f"what pid {pid} saved in the office's journal is lost"
                yield violation("lost-work", host["name"], detail)


def _judge_migrated(folder: Path, version: str, size_before: int) -> Iterator[Json]:
    schema = (folder / "schema").read_text("utf-8").strip()
    wanted = f"\nmigrated to {version}".encode()
    if schema != version or (folder / "ledger.db").read_bytes()[size_before:] != wanted:
        detail = f"the shared data is of schema {schema}, or migrated more than once"
        yield violation("data-not-migrated", "", detail)


def note(config: Json, noted_file: Path) -> int:
    """Write down what every host owns."""
    noted = {host["name"]: note_host(Path(host["folder"])) for host in config["hosts"]}
    noted["*share"] = note_share(config.get("share"))
    noted_file.write_text(json.dumps(noted, indent=1), "utf-8")
    return 0


def check(config: Json, noted_file: Path) -> int:
    """Print the violations. Returns 1 when there are any."""
    noted = json.loads(noted_file.read_text("utf-8"))
    found: list[Json] = []
    for host in config["hosts"]:
        found += judge_disk(host, noted[host["name"]], Path(config["releases"][host["expected"]]))
        found += [*judge_work(host), *judge_answer(host)]
    found += judge_share(config, noted["*share"])
    drafts = [draft for host in config["hosts"] for draft in find_drafts(host)]
    found += judge_drafts(drafts)
    versions = {host["name"]: read_versions(Path(host["folder"])) for host in config["hosts"]}
    print(json.dumps({"violations": found, "versions": versions, "drafts": drafts}))
    return 1 if found else 0


def main(verb: str, place: str, noted_file: str = "") -> int:
    """Note, check or ask. Returns the exit code."""
    if verb == "ask":
        print(json.dumps(_ask(Path(place))))
        return 0
    config = json.loads(Path(place).read_text("utf-8"))
    verbs = {"note": note, "check": check}
    return verbs[verb](config, Path(noted_file))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
