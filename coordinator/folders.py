"""Which folders are used when nothing else is said: the only home of platformdirs."""

import os
from pathlib import Path

from platformdirs import user_config_path, user_data_path

HOME_VARIABLE = "ROUNDSMAN_HOME"
CONFIG_VARIABLE = "ROUNDSMAN_CONFIG"
_NAME = "roundsman"


def home_folder(given: Path | None = None) -> Path:
    """Return the coordinator's home: as given, else ROUNDSMAN_HOME, else the usual place."""
    return _chosen(given, HOME_VARIABLE) or user_data_path(_NAME, appauthor=False)


def operator_folder(given: Path | None = None) -> Path:
    """Return the operator's own folder: as given, else ROUNDSMAN_CONFIG, else the usual place."""
    return _chosen(given, CONFIG_VARIABLE) or user_config_path(_NAME, appauthor=False)


def _chosen(given: Path | None, variable: str) -> Path | None:
    named = os.environ.get(variable, "")
    chosen = given or (Path(named) if named else None)
    return None if chosen is None else chosen.expanduser().absolute()
