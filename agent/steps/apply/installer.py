"""Runs the vendor's installer from the signed package; the backup is the way back.

The installer runs as the agent does, with the profile's arguments, an environment of its own and
a time limit; whatever it starts ends with it. What its exit code means stands in the profile,
and that the ordered version is installed is read from the host, not from the code.
"""

from pathlib import Path

from agent.extract import verify_tree
from agent.package_paths import BadPackage
from agent.platforms.base import Ended
from agent.steps.apply.from_backup import is_as_backed_up, is_unsure, put_back
from agent.steps.apply.outcome import confirm_version, told, when_late
from agent.steps.apply.staging import check_room, manifest_of, unpack
from agent.steps.apply.standing import Standing, note, standing
from agent.steps.backup_check import complete_store
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import fill, values_of
from agent.wire.contract import Finding, Refusal, Severity
from agent.wire.manifest import Manifest
from agent.wire.profile import ExitMeaning

_WAIT_SECONDS = 15.0
"""Between two tries while another installation runs."""
_WELL = {ExitMeaning.DONE, ExitMeaning.NEEDS_REBOOT}


def stage(work: Work) -> None:
    """Have the installer's package unpacked in `folders.incoming`, whole."""
    manifest = manifest_of(work)
    _check_program(work, manifest)
    check_room(work, manifest)
    unpack(work, manifest)
    work.fact("staged_version", manifest.version)


def apply(work: Work) -> None:
    """Have the ordered version installed by the installer."""
    if is_unsure(work):  # an earlier attempt was cut short
        put_back(work)
    if standing(work) is not Standing.CHANGED:
        manifest = manifest_of(work)
        _check_program(work, manifest)
        argv = _command(work)
        unpack(work, manifest)
        complete_store(work, work.folders.backup)  # without a way back nothing may be changed
        note(work, Standing.CHANGING)
        _conclude(work, _install(work, manifest, argv))
        work.platform.sync_tree(work.installation.folder)  # the installer may not have done so
    confirm_version(work)
    note(work, Standing.CHANGED)


def _check_program(work: Work, manifest: Manifest) -> None:
    program = work.profile.apply.program
    if program not in {entry.path for entry in manifest.files}:
        raise Refused(
            Refusal.PACKAGE_MISMATCH, f'cannot use this package: there is no "{program}" in it'
        )


def _command(work: Work) -> list[str]:
    arguments = (fill(text, values_of(work)) for text in work.profile.apply.arguments)
    return [str(work.folders.incoming / work.profile.apply.program), *arguments]


def _install(work: Work, manifest: Manifest, argv: list[str]) -> tuple[ExitMeaning, Ended]:
    end = work.platform.clock() + work.profile.apply.limit_seconds
    while True:
        _verify(work, manifest)
        left = max(1.0, end - work.platform.clock())
        ended = work.platform.run(argv, work.folders.incoming, left, when_late(work))
        meaning = _meaning(work, ended)
        late = work.platform.clock() + _WAIT_SECONDS >= end
        if meaning is not ExitMeaning.RETRY_LATER or late:
            return meaning, ended
        work.pause(_WAIT_SECONDS)


def _verify(work: Work, manifest: Manifest) -> None:
    """Verify all of the package right before it is run: its programs load one another."""
    try:
        verify_tree(work.folders.incoming, manifest)
    except BadPackage as error:
        raise Failed(f"cannot run the installer: {error}") from error


def _meaning(work: Work, ended: Ended) -> ExitMeaning:
    if ended.code is None:
        return ExitMeaning.FAILED
    code = ended.code if ended.code >= 0 else ended.code + 2**32  # as the profile writes it
    return dict(work.profile.apply.exit_codes).get(code, ExitMeaning.FAILED)


def _conclude(work: Work, how: tuple[ExitMeaning, Ended]) -> None:
    meaning, ended = how
    work.fact("installer", f"exit code {ended.code}: {meaning}" if ended.code is not None else "")
    if meaning is ExitMeaning.NEEDS_REBOOT:
        work.fact("needs_reboot", "yes")
        work.find(_restart(work))
    if meaning not in _WELL:
        _end_badly(work, meaning, ended)


def _end_badly(work: Work, meaning: ExitMeaning, ended: Ended) -> None:
    program = Path(work.profile.apply.program).name
    if ended.code is None:
        limit = work.profile.apply.limit_seconds
        raise Failed(f"cannot wait for {program} any longer: {limit:g} s have passed{told(ended)}")
    why = {
        ExitMeaning.RETRY_LATER: "another installation runs on this host: retry later",
        ExitMeaning.CANCELLED: "it was cancelled: retry",
    }.get(meaning, "it failed")
    text = f"cannot install with {program}: {why} (exit code {ended.code}){told(ended)}"
    if meaning is not ExitMeaning.FAILED and is_as_backed_up(work):
        note(work, Standing.NOT_BEGUN)
        raise Refused(Refusal.RETRY_LATER, text)
    raise Failed(text)


def _restart(work: Work) -> Finding:
    return Finding(
        "needs-reboot",
        Severity.WARNING,
        f"the installer of {work.profile.title} says that it is whole after a restart only"[:500],
        "restart this workstation",
    )
