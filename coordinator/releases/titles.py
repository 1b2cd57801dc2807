"""The profile that a target holds, and what people call its application."""

from agent.wire.contract import Target
from agent.wire.profile import Profile
from agent.wire.profile_reader import read_profile
from coordinator.model import Plan
from coordinator.releases.repository import Repository


def profile_in(repository: Repository, target: Target) -> Profile:
    """Return the profile that a target holds. Raises `OSError` or `ValueError`."""
    return read_profile(repository.content(target).decode(), target.name)


def title_of(repository: Repository, plan: Plan) -> str:
    """Return the title in the plan's profile; the app's name when it cannot be read."""
    try:
        return profile_in(repository, plan.profile).title
    except (OSError, ValueError):
        return plan.app
