"""The profiles that ship with the product, each modelled on a vendor's published procedure."""

from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "profiles"


def shipped() -> dict[str, Path]:
    """Return the files of the profiles that ship, by app."""
    return {file.stem: file for file in sorted(_FOLDER.glob("*.toml"))}
