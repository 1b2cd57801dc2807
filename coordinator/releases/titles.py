"""What people call the application of a plan."""

from agent.wire.profile_reader import read_profile
from coordinator.model import Plan
from coordinator.releases.repository import Repository


def title_of(repository: Repository, plan: Plan) -> str:
    """Return the title in the plan's profile; the app's name when it cannot be read."""
    try:
        text = repository.content(plan.profile).decode()
        return read_profile(text, plan.profile.name).title
    except (OSError, ValueError):
        return plan.app
