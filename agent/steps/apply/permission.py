"""Whether the signed terms of a release let it be put over what is installed on this host.

The coordinator judges the same when it plans. The agent judges for itself, right before it would
begin: a stolen coordinator cannot have an older release, with its known faults, put back.
"""

from agent.steps.table import Refused, Work
from agent.steps.versions import app_version
from agent.wire.contract import Refusal
from agent.wire.manifest import Manifest
from agent.wire.versions import is_in, is_older


def check_permission(work: Work, manifest: Manifest) -> None:
    """Raise `Refused` WRONG_VERSION unless this release may follow the one that is installed."""
    installed = app_version(work)
    if installed == manifest.version:
        return  # the same again, or what an interrupted step has already brought
    why = ""
    if is_older(manifest.version, installed) and not manifest.terms.downgrade:
        why = "that is newer, and nobody has signed that it may be put over a newer one"
    elif not _is_over(installed, manifest):
        why = f"it may be put over {manifest.terms.over} only"
    if why:
        raise Refused(
            Refusal.WRONG_VERSION,
            f"cannot put {manifest.version} over {installed} of {manifest.app}: {why}",
        )


def _is_over(installed: str, manifest: Manifest) -> bool:
    try:
        return is_in(installed, manifest.terms.over)
    except ValueError as error:
        raise Refused(Refusal.PACKAGE_MISMATCH, f"cannot use this package: {error}") from None
