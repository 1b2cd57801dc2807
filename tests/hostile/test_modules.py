"""A folder of modules that a hostile user may write in: nothing outside it is read or carried."""

from contextlib import suppress
from dataclasses import replace

import pytest

from agent.steps.apply_release import apply_release, delete_old, put_old_back
from agent.steps.modules import confirm_modules
from agent.steps.stage import stage
from agent.steps.survey import survey
from agent.steps.table import Failed, Refused
from agent.wire.contract import StepName
from agent.wire.profile import Modules, VersionKind, VersionReader
from agent.wire.terms import ModuleTerms, Terms
from tests.hostile.office import SECRET, Office
from tests.hostile.user import told_by_user
from tests.steps.bench import write_tree

_AWAY = "os.rename(sys.argv[1], sys.argv[1] + '.away'); os.symlink(sys.argv[2], sys.argv[1])"
_PLANTED = "os.symlink(sys.argv[1], sys.argv[2])"
_READER = VersionReader(VersionKind.FILE, "module.txt", "^version=(.+)$")
_LEAVES = ("fax", "../../secret", "planted")


def _with_modules(office: Office) -> Office:
    office.profile = replace(office.profile, modules=Modules("modules", _READER))
    for name in ("crm", "fax"):
        module = {"module.txt": b"version=1.0\n", "lib/code.bin": name.encode()}
        write_tree(office.app / "modules" / name, module)
    office.open_up()
    write_tree(office.secret, {"crm/module.txt": SECRET, "module.txt": b"version=" + SECRET})
    office.secret.chmod(0o700)
    files = dict(office.release) | {"modules/crm/module.txt": b"version=2.0\n"}
    office.ship(files)
    terms = Terms(modules=(ModuleTerms("crm", "2.0"), ModuleTerms("fax", "2.0")))
    office.packages.the_manifest = replace(office.packages.the_manifest, terms=terms)
    return office


def _whole_update(office: Office) -> None:
    survey(office.work(StepName.SURVEY))
    stage(office.work(StepName.STAGE, leaves=_LEAVES))
    apply_release(office.work(StepName.APPLY_RELEASE, leaves=_LEAVES))
    confirm_modules(office.work(StepName.CHECK_HEALTH, leaves=_LEAVES))


def _whole_way(office: Office) -> None:
    with suppress(Refused, Failed, OSError):
        _whole_update(office)
    for step in (put_old_back, delete_old):
        with suppress(Refused, Failed, OSError):
            step(office.work(StepName.APPLY_RELEASE, leaves=_LEAVES))


@pytest.mark.parametrize(
    ("swapped", "instead"),
    [
        ("modules", ""),
        ("modules/fax", "crm"),
        ("modules/crm", "crm"),
        ("modules/fax/module.txt", "module.txt"),
        ("modules/fax/lib", "crm"),
    ],
)
def test_a_link_among_the_modules_is_never_followed(
    office: Office, swapped: str, instead: str
) -> None:
    _with_modules(office)
    told_by_user(_AWAY, str(office.app / swapped), str(office.secret / instead))
    seen = sorted(path.name for path in office.secret.rglob("*"))

    _whole_way(office)

    assert sorted(path.name for path in office.secret.rglob("*")) == seen
    for folder in (office.state, office.app.parent):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert SECRET not in path.read_bytes(), path


def test_a_link_that_is_called_like_a_module_is_no_module(office: Office) -> None:
    _with_modules(office)
    told_by_user(_PLANTED, str(office.secret), str(office.app / "modules/planted"))
    work = office.work(StepName.SURVEY)

    survey(work)
    _whole_update(office)

    assert "module.planted" not in work.facts
    assert not (office.app / "modules/planted").exists()


def test_no_version_that_a_user_writes_reaches_a_terminal_as_it_is(office: Office) -> None:
    _with_modules(office)
    (office.app / "modules/fax/module.txt").write_text("version=\x1b[31m1.0\n")
    work = office.work(StepName.SURVEY)

    survey(work)

    assert work.facts["module.fax"] == ""
    assert "module-unread" in work.found
