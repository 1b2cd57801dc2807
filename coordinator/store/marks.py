"""Small things that the daemon remembers over a restart, a text each, by name."""

from sqlalchemy import Engine, select

from coordinator.store.database import reader, upsert
from coordinator.store.tables import setting


class Marks:
    """What is remembered in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def read(self, key: str) -> str:
        """Return what was written last, "" when nothing was."""
        with self._reads.connect() as c:
            return c.scalar(select(setting.c.value).where(setting.c.key == key)) or ""

    def write(self, key: str, value: str) -> None:
        """Remember a value from now on."""
        with self._engine.begin() as c:
            upsert(c, setting, {"key": key}, {"value": value})
