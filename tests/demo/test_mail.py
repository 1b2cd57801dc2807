"""A real office mails a real server: what happened while the server was down is told later."""

from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.access import read_access
from coordinator.api.asks import PackageAsk
from coordinator.api.client import Client
from coordinator.cli.demo_office import APP
from coordinator.settings import read_settings, write_settings
from coordinator.standin.make_release import release_files, write_zip
from tests.faults.office import FaultOffice, office
from tests.notify.server import Office as MailOffice
from tests.until import until

pytestmark = pytest.mark.timeout(300)


def _begin(made: FaultOffice, mail: MailOffice) -> None:
    """Open the office with a mail server in its settings."""
    made.make_home()
    settings = read_settings(made.base / "coordinator")
    write_settings(replace(settings, mail=mail.settings()))
    made.start_coordinator()
    made.install_apps()
    made.enrol_agents()
    made.publish_profile()
    write_zip(made.release("1.1"), release_files("1.1"))
    with Client(read_access(made.base / "operator")) as client:
        client.add_package(PackageAsk(app=APP, version="1.1"), made.release("1.1"))
    made.roundsman("release", "sign", "--yes")


def test_a_rollout_ends_while_mail_is_down_and_is_told_by_the_next_daemon(tmp_path: Path) -> None:
    mail = MailOffice(_made(tmp_path / "mail"))
    with office(_made(tmp_path / "office"), hosts=1) as made:
        _begin(made, mail)
        rollout = made.start_rollout("1.1")
        with made.client() as client:
            until(lambda: client.rollout(rollout).state.is_final, 120, "the rollout ends")
            assert client.rollout(rollout).state == "done"
        (waiting,) = made.roundsman("mail", "list")
        assert (waiting["state"], waiting["kind"]) == ("waiting", "available")
        made.kill_coordinator()

        with mail.serving() as box:
            made.start_coordinator()
            until(lambda: box.taken, 120, "the mail arrives")
            (sent,) = made.roundsman("mail", "list")
            assert made.roundsman("mail", "test") == [
                {"recipient": "it@office.example", "problem": ""}
            ]
        told = box.taken[0]
        assert told["Message-ID"] == f"<{waiting['message_id']}@office.example>"
        assert str(told["Subject"]).endswith("1.1: available again")
        body = told.get_body(("plain",))
        assert body is not None
        assert "Updated: PC-01" in body.get_content()
        assert [part.get_filename() for part in told.iter_attachments()] == ["roundsman-r1.html"]
        assert sent["state"] in {"sent", "waiting"}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
