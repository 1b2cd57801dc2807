"""`roundsman keys` and signing by several, at terminals: the coordinator's and others."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.api.real import PROFILE, RealOffice, make_home
from tests.cli.terminal import Said, Terminal

OLD = "correct horse battery"


@dataclass
class Desk:
    """A terminal, and the sticks of the people who sit down at it."""

    folder: Path
    terminal: Terminal
    office: RealOffice
    sticks: dict[str, Path] = field(default_factory=dict)

    def stick(self, name: str) -> Path:
        return self.sticks.setdefault(name, self.folder / "sticks" / name)

    def secret(self, name: str) -> str:
        """Return the file with somebody's passphrase."""
        file = self.folder / f"passphrase-{name}"
        file.write_text(f"the passphrase of {name}\n" if name != "init" else f"{OLD}\n")
        return str(file)

    def __call__(self, words: str, *more: str) -> Said:
        return self.terminal(words, *more)

    def new(self, *names: str) -> list[str]:
        words: list[str] = ["--sheets", str(self.folder / "sheets")]
        for name in names:
            words += ["--into", str(self.stick(name)), "--passphrase-file", self.secret(name)]
        return words

    def old(self, *names: str) -> list[str]:
        words: list[str] = []
        for name in names:
            where = self.office.settings.signing_folder if name == "init" else self.stick(name)
            words += ["--key", str(where), "--key-passphrase-file", self.secret(name)]
        return words

    def by(self, *names: str) -> list[str]:
        return [word.replace("--key-passphrase", "--passphrase") for word in self.old(*names)]

    def ceremony(self) -> Said:
        people = ("ann", "ben", "cleo")
        return self("keys ceremony --yes", *self.old("init"), *self.new(*people))

    def fingerprints(self) -> list[str]:
        roles = self("keys list --json").json["roles"]
        return next(list(role["fingerprints"]) for role in roles if role["role"] == "root")

    def add_profile(self, text: str = PROFILE) -> None:
        file = self.folder / "profile.toml"
        file.write_text(text)
        assert self("profile add", str(file)).code == 0


@pytest.fixture
def desk(office: RealOffice, terminal: Terminal, tmp_path: Path) -> Desk:
    return Desk(tmp_path, terminal, office)


def test_the_keys_are_listed_in_plain_words(desk: Desk) -> None:
    said = desk("keys list")
    assert said.code == 0, said.err
    for words in ("who says what may be installed", "1 of 1", "root", "timestamp"):
        assert words in said.out


def test_what_expires_within_thirty_days_ends_with_one_and_the_mend(desk: Desk) -> None:
    desk.office.clock.ahead = 61 * 86400.0
    said = desk("keys list")
    assert said.code == 1
    assert "the signed list of releases expires on" in said.out
    assert "roundsman keys renew" in said.out
    assert desk("health").code == 1


def test_the_doctor_finds_what_expires_and_blocks_once_it_has(desk: Desk) -> None:
    desk.add_profile()
    desk.office.sign()
    assert "expires" not in desk("doctor").out
    assert _severity_after(desk, 61) == "warning"
    said = desk("doctor")
    assert "the signed list of releases expires on" in said.out
    assert "roundsman keys renew" in said.out
    assert _severity_after(desk, 91) == "blocks"
    assert desk("doctor").code == 1


def _severity_after(desk: Desk, days: float) -> str:
    """Return how much the doctor finds that it matters, after so many days."""
    desk.office.clock.ahead = days * 86400.0
    checks = desk("doctor --json").json
    findings = [found for check in checks for found in check["findings"]]
    return str(next(f["severity"] for f in findings if "list of releases" in f["message"]))


def test_renewed_it_is_good_again(desk: Desk) -> None:
    said = desk("keys renew --yes", *desk.by("init"))
    assert said.code == 0, said.err
    assert "renewed" in said.out
    assert desk.office.repository.root_of_trust().version == 2


def test_a_ceremony_makes_three_keys_with_sheets_and_two_must_sign(desk: Desk) -> None:
    said = desk.ceremony()
    assert said.code == 0, said.err
    assert "ROUNDSMAN RECOVERY SHEET" in said.out
    assert "the passphrase of" not in said.out
    assert len(desk.fingerprints()) == 3
    assert "2 of 3" in desk("keys list").out
    sheets = sorted(path.suffix for path in (desk.folder / "sheets").iterdir())
    assert sheets == [".html"] * 3 + [".txt"] * 3
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in (desk.folder / "sheets").iterdir())


def test_the_first_signature_says_who_is_next_and_the_second_publishes(desk: Desk) -> None:
    desk.ceremony()
    desk.add_profile()
    first = desk("release sign --yes", *desk.by("ann"))
    assert first.code == 1
    assert "1 of 2 signatures" in first.out
    assert "roundsman release sign --key FILE" in first.out
    assert desk.office.repository.published() == []
    again = desk("release sign --yes", *desk.by("ann"))
    assert (again.code, "1 of 2 signatures" in again.out) == (1, True)
    second = desk("release sign --yes --json", *desk.by("cleo"))
    assert second.code == 0, second.err
    assert second.json["progress"]["published"]
    assert len(desk.office.repository.published()) == 1


def test_a_list_that_changed_says_that_its_signatures_were_dropped(desk: Desk) -> None:
    desk.ceremony()
    desk.add_profile()
    desk("release sign --yes", *desk.by("ann"))
    assert "1 of 2 signatures" in desk("release unsigned").out
    (desk.folder / "profile.toml").write_text(PROFILE + "\n")
    added = desk("profile add", str(desk.folder / "profile.toml"))
    assert "1 signatures of the list were dropped" in added.out
    assert "1 signatures were dropped: the list has changed" in desk("release unsigned").out
    said = desk("release sign --yes", *desk.by("ben"))
    assert "1 signatures were dropped" in said.out
    assert "1 of 2 signatures" in said.out


def test_a_file_is_signed_on_pcs_that_know_no_coordinator(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ceremony()
    desk.add_profile()
    paper, ann, cleo = (str(desk.folder / name) for name in ("paper", "ann", "cleo"))
    assert desk("release unsigned --to", paper).code == 1
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("ROUNDSMAN_CONFIG", str(desk.folder / "nowhere"))
        first = desk(f"release sign --yes --from {paper} --to {ann}", *desk.by("ann"))
        assert first.code == 0, first.err
        assert "stops and starts the system's unit om-server.service" in first.out
        second = desk(f"release sign --yes --from {ann} --to {cleo}", *desk.by("cleo"))
        assert second.code == 0, second.err
    half = desk("release publish", ann)
    assert (half.code, "1 of 2 signatures" in half.out) == (1, True)
    whole = desk("release publish", cleo)
    assert (whole.code, whole.out.strip()) == (0, "the list is published")


def test_a_lost_key_is_replaced_by_the_others_on_their_own_pcs(desk: Desk) -> None:
    desk.ceremony()
    lost = json.loads(_fingerprint_of(desk, "cleo"))
    rotate = ["--lost", lost[:12], *desk.old("ann"), *desk.new("dora")]
    first = desk("keys rotate --yes", *rotate)
    assert first.code == 1, first.err
    assert "1 of 2 signatures" in first.out
    shown = desk("keys unsigned")
    assert shown.code == 1
    assert "takes away the key" in shown.out
    assert "A change of keys waits" in desk("keys list").out
    second = desk("keys sign --yes", *desk.by("ben"))
    assert second.code == 0, second.err
    assert lost not in desk.fingerprints()
    refused = desk("keys renew --yes", *desk.by("cleo"))
    assert refused.code == 2
    assert "it is none of those that may sign" in refused.err
    desk.add_profile()
    thief = desk("release sign --yes", *desk.by("cleo"))
    assert (thief.code, "not signed with the signing key" in thief.err) == (2, True)


def _fingerprint_of(desk: Desk, name: str) -> str:
    said = desk("keys sheet --json --sheets", str(desk.folder / "s"), *desk.by(name))
    return json.dumps(said.json["fingerprint"])


def test_a_change_of_keys_is_signed_by_file_too(desk: Desk) -> None:
    desk.ceremony()
    assert desk("keys renew --yes", *desk.by("ann")).code == 1
    paper, signed = str(desk.folder / "paper"), str(desk.folder / "signed")
    assert desk("keys unsigned --to", paper).code == 1
    wrong = desk(f"release sign --yes --from {paper} --to {signed}", *desk.by("ben"))
    assert (wrong.code, "it changes the keys themselves" in wrong.err) == (2, True)
    assert desk(f"keys sign --yes --from {paper} --to {signed}", *desk.by("ben")).code == 0
    done = desk("release publish", signed)
    assert (done.code, done.out.strip()) == (0, "the keys are changed")


def test_the_only_key_is_replaced_by_itself_and_in_its_own_place(desk: Desk) -> None:
    before = desk.fingerprints()
    said = desk("keys rotate --yes", *desk.old("init"), "--passphrase-file", desk.secret("new"),
                "--sheets", str(desk.folder / "sheets"))  # fmt: skip
    assert said.code == 0, said.err
    assert desk.fingerprints() != before
    desk.add_profile()
    signed = desk("release sign --yes --passphrase-file", desk.secret("new"))
    assert signed.code == 0, signed.err


def test_a_new_key_is_locked_as_the_first_one_was(desk: Desk) -> None:
    short = desk.folder / "short"
    short.write_text("eleven char\n")
    said = desk("keys rotate --yes", *desk.old("init"), "--passphrase-file", str(short))
    assert said.code == 2
    assert "a passphrase has at least 12 characters" in said.err
    assert desk("keys renew --yes", *desk.by("init")).code == 0


def test_a_key_that_was_replaced_can_change_nothing(desk: Desk) -> None:
    desk.ceremony()
    lost = desk.fingerprints()[0]
    said = desk("keys rotate --yes --lost", lost, *desk.old("init"), *desk.new("dora"))
    assert (said.code, "none of those that may sign" in said.err) == (2, True)
    assert not desk.stick("dora").exists()


def test_a_key_that_the_others_are_too_few_to_replace_comes_from_its_sheet(desk: Desk) -> None:
    new = desk.new("ann", "ben")
    desk("keys ceremony --keys 2 --threshold 2 --yes", *desk.old("init"), *new)
    lost = json.loads(_fingerprint_of(desk, "ben"))
    said = desk("keys rotate --yes --lost", lost, *desk.old("ann"), *desk.new("dora"))
    assert (said.code, "without it there are 1" in said.err) == (2, True)
    assert "roundsman keys recover" in said.err
    unnamed = desk("keys rotate --yes", *desk.old("ann"), *desk.new("dora"))
    assert (unnamed.code, "cannot replace a key: which of" in unnamed.err) == (2, True)


def test_the_online_key_is_replaced(desk: Desk) -> None:
    said = desk("keys rotate --online --yes", *desk.old("init"))
    assert said.code == 0, said.err
    assert desk.office.repository.root_of_trust().version == 3


def test_a_key_comes_back_from_its_sheet(desk: Desk) -> None:
    desk.ceremony()
    (sheet, *_) = sorted((desk.folder / "sheets").glob("*.txt"))
    names = {json.loads(_fingerprint_of(desk, n))[:16]: n for n in ("ann", "ben", "cleo")}
    name = names[sheet.stem.removeprefix("recovery-")]
    again = str(desk.folder / "again")
    wrong = desk(f"keys recover {sheet} --into {again} --passphrase-file", desk.secret("init"))
    assert (wrong.code, "the passphrase is wrong" in wrong.err) == (2, True)
    said = desk(f"keys recover {sheet} --into {again} --passphrase-file", desk.secret(name))
    assert said.code == 0, said.err
    assert "and opens" in said.out
    old, new = desk.stick(name) / "signing-key.pem", Path(again) / "signing-key.pem"
    assert new.read_bytes() == old.read_bytes()
    twice = desk(f"keys recover {sheet} --into {again} --passphrase-file", desk.secret(name))
    assert (twice.code, "one is there already" in twice.err) == (2, True)


def test_a_change_that_waits_can_be_forgotten(desk: Desk) -> None:
    desk.ceremony()
    desk("keys renew --yes", *desk.by("ann"))
    assert desk("keys drop --yes").code == 0
    assert desk("keys unsigned").code == 0
    none = desk("keys drop --yes")
    assert (none.code, "no change of keys waits" in none.err) == (2, True)
    assert desk("keys sign --yes", *desk.by("ann")).code == 2


def test_a_release_published_meanwhile_is_said_to_end_a_change(desk: Desk) -> None:
    desk.ceremony()
    desk("keys renew --yes", *desk.by("ann"))
    desk.add_profile()
    assert "publishing this list first ends it" in desk("release unsigned").out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("keys ceremony --keys 10 --threshold 2 --yes", "cannot have 2 of 10 keys sign"),
        ("keys ceremony --keys 2 --threshold 3 --yes", "cannot have 3 of 2 keys sign"),
        ("keys ceremony --keys 0 --threshold 0 --yes", "cannot have 0 of 0 keys sign"),
        ("keys rotate --lost 1234567 --yes", "cannot find the key '1234567'"),
        ("keys renew --yes --key /nowhere", "cannot find the signing key /nowhere"),
        ("keys sign --yes", "no change of keys waits"),
        ("keys sign --from /nowhere --to x --yes", "cannot read /nowhere"),
        ("keys unsigned --to x", "no change of keys waits"),
        ("release sign --from /nowhere --yes", "into which?"),
        ("release publish /nowhere", "cannot read /nowhere"),
        ("keys recover /nowhere --into x", "cannot read /nowhere"),
        ("keys sheet --key /nowhere", "cannot find the signing key /nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    desk: Desk, words: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_PASSPHRASE", OLD)
    said = desk(words)
    assert (said.code, why in said.err) == (2, True), said.err


@pytest.mark.parametrize("raw", ["", "{}", "null", "[]", '{"kind": "roundsman: to be signed"}'])
def test_a_file_that_is_none_of_ours_is_told(desk: Desk, raw: str) -> None:
    paper = desk.folder / "paper"
    paper.write_text(raw)
    said = desk("release publish", str(paper))
    assert (said.code, "it is no file to be signed" in said.err) == (2, True)


def test_two_keys_with_one_passphrase_are_not_made(desk: Desk) -> None:
    one, two = desk.new("ann")[2:], ["--into", str(desk.stick("ben"))]
    same = ["--passphrase-file", desk.secret("ann")]
    said = desk("keys ceremony --keys 2 --threshold 1 --yes", *desk.old("init"), *one, *two, *same)
    assert (said.code, "another has the same passphrase" in said.err) == (2, True)
    assert len(desk.fingerprints()) == 1


def test_two_keys_on_one_stick_are_not_made(desk: Desk) -> None:
    one = desk.new("ann")
    two = ["--into", str(desk.stick("ann")), "--passphrase-file", desk.secret("ben")]
    said = desk("keys ceremony --keys 2 --threshold 1 --yes", *desk.old("init"), *one, *two)
    assert (said.code, "one is there already" in said.err) == (2, True)


def test_the_same_key_given_twice_is_told(desk: Desk) -> None:
    said = desk("keys renew --yes", *desk.by("init", "init"))
    assert (said.code, "one key counts once" in said.err) == (2, True)


def test_keys_that_do_not_follow_from_those_seen_before_are_not_built_upon(desk: Desk) -> None:
    desk("keys renew --yes", *desk.by("init"))
    metadata = desk.office.repository.folder / "metadata"
    shutil.rmtree(desk.office.repository.folder / "metadata")
    make_home(desk.folder / "thief")
    shutil.copytree(desk.folder / "thief" / "home" / "repository" / "metadata", metadata)
    for words in ("keys renew --yes", "keys rotate --yes --online", "keys unsigned --to x"):
        said = desk(words)
        assert (said.code, "they do not follow from those" in said.err) == (2, True)
        assert "until a person has looked at the coordinator" in said.err


def test_without_options_each_person_is_asked_in_turn(desk: Desk) -> None:
    folders = [str(desk.folder / name) for name in ("one", "two")]
    words = ["the first passphrase", "the second passphrase"]
    lines = [OLD, "y"]
    for folder, word in zip(folders, words, strict=True):
        lines += [folder, word, word]
    done = subprocess.run(
        [sys.executable, "-m", "coordinator.cli", "keys", "ceremony", "--keys", "2"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=desk.folder,
    )
    assert done.returncode == 0, done.stderr
    assert "Key 1 of 2" in done.stdout
    assert "2 keys, of which 2 must sign" in done.stdout
    assert not any(word in done.stdout + done.stderr for word in words)
    assert (desk.folder / "recovery-sheets").is_dir()
    assert "2 of 2" in desk("keys list").out
