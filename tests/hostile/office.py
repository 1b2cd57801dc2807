"""A host with a hostile user: the app open to everybody, and things that are not theirs."""

from pathlib import Path

from tests.steps.bench import Bench, snapshot, write_tree

SECRET = b"only root may read this"


class Office(Bench):
    """The bench's host; everybody may write in the app's folder and beside it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        root.chmod(0o755)
        self.state = root / "state"
        self.state.chmod(0o700)
        self.secret = root / "secret"
        inside = {path: SECRET for path in self.installed()}
        write_tree(self.secret, inside | {"user.ini": SECRET, "default.ini": SECRET})
        self.secret.chmod(0o700)
        self.open_up()
        self.outside = snapshot(self.secret)

    def open_up(self) -> None:
        office = self.app.parent
        for path in (office, *office.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o666))

    def check_untouched(self) -> None:
        """Nothing outside was changed, and nothing of it has come to where users may read."""
        assert snapshot(self.secret) == self.outside
        for folder in (self.state, self.app.parent):
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    assert SECRET not in path.read_bytes(), path
