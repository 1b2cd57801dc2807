"""Swaps what is in an app's folder, durably; the disk alone says how far it got.

Where nothing in the app's folder stays, it is two renames: the app's folder to `kept`, the
incoming one to its place. Where something stays (rows O7, O8) the folder stays with it, and
what moves in it is renamed entry by entry. At any moment of that,

    `<kept>.part` there    what moves in the live folder is old: going out, or coming back
    else `kept` there      what moves in the live folder is new: coming in, or all in

so the rename between these two names is the moment of the swap, and of its undoing.
"""

from collections.abc import Iterable
from pathlib import Path

from agent.platforms.base import Spot
from agent.steps.apply.parts import stays
from agent.steps.table import Work
from agent.wire.atomic import sync_folder


class Swap:
    """The swap of one app's folder with `incoming`; every method bears repetition."""

    def __init__(self, work: Work, incoming: Path) -> None:
        """Nothing is touched yet."""
        self._platform = work.platform
        self._rollout = work.step_id.partition("/")[0]
        self._stays = frozenset(stays(work.profile)) | _data_below(work)
        self.live = Spot(work.installation.folder)
        self.kept = Spot(work.folders.outgoing)
        self.part = Spot(work.folders.outgoing.with_name(f"{work.folders.outgoing.name}.part"))
        self.incoming = Spot(incoming)
        self.discarded = Spot(work.folders.discarded)

    def has_content(self, spot: Spot) -> bool:
        """True when it is a real folder with something in it."""
        return bool(self._platform.names(spot))

    def has_app(self) -> bool:
        """True when the app's folder has something in it beside what stays."""
        return bool(self._moving())

    @property
    def is_begun(self) -> bool:
        """True when anything of the old release is out of the app's folder."""
        return self._is_partial() or self.has_content(self.kept)

    @property
    def is_done(self) -> bool:
        """True when the old release is kept and the new one wholly in place."""
        if self._is_partial() or not self.has_content(self.kept):
            return False
        return self.has_app() and not self.has_content(self.incoming)

    def take_out(self) -> None:
        """Have the old release in `kept`. Raises `OSError`."""
        if self.has_content(self.kept):
            return
        if self._is_partial() or self._stays_here():
            self._platform.make_folder(self.part)
            self._move_all(self._moving(), self.live, self.part)
            self._rename(self.part, self.kept)
        else:
            self._rename(self.live, self.kept)

    def bring_in(self) -> None:
        """Have the incoming release in place, once the old one is out. Raises `OSError`."""
        self._fill(self.incoming)

    def back(self) -> None:
        """Have the old release in place again and the new one in `discarded`."""
        if not self.is_begun:
            return
        if self._by_entries():
            self._entries_back()
        else:
            if self.has_content(self.live):
                self._set_aside(self.live)
            self._rename(self.kept, self.live)

    def settle(self) -> None:
        """Bring a swap that was cut short to the old release, which was never changed."""
        if self.is_begun and not self.is_done:
            self.back()

    def keep_new(self) -> None:
        """Have the new release whole in place, when the way back cannot be gone to its end.

        What was set aside is first coming in again, in one rename: cut short, it is not done.
        """
        if self._is_partial() or not self.has_content(self.kept):
            return
        if self.has_content(self.discarded) and not self.has_content(self.incoming):
            self._rename(self.discarded, self.incoming)
        self._fill(self.incoming)

    def discard_kept(self) -> None:
        """Have in `discarded` what was taken out, when it is no way back."""
        if self.has_content(self.kept):
            self._set_aside(self.kept)

    def confirm(self) -> None:
        """Return when the renames are on the disk, those of a run that was cut short too."""
        for folder in {self.live.folder.parent, self.incoming.folder.parent}:
            sync_folder(folder)
        if self.has_content(self.live):
            sync_folder(self.live.folder)

    def _is_partial(self) -> bool:
        return self._platform.look_at(self.part) is not None

    def _moving(self) -> list[str]:
        return [name for name in self._platform.names(self.live) if name not in self._stays]

    def _stays_here(self) -> bool:
        return not self._stays.isdisjoint(self._platform.names(self.live))

    def _by_entries(self) -> bool:
        if self._is_partial() or self._stays_here():
            return True
        return self.has_content(self.live) and self.has_content(self.incoming)

    def _fill(self, source: Spot) -> None:
        if not self.has_content(source):
            return
        if not self.has_content(self.live):
            self._rename(source, self.live)
            return
        self._move_all(self._platform.names(source), source, self.live)
        self._platform.remove(source)

    def _entries_back(self) -> None:
        if not self._is_partial():
            self._platform.make_folder(self.incoming)
            self._move_back(self._moving(), self.live, self.incoming)
            if self.has_content(self.incoming):
                self._set_aside(self.incoming)
            self._rename(self.kept, self.part)
        self._move_back(self._platform.names(self.part), self.part, self.live)
        self._platform.remove(self.part)

    def _set_aside(self, release: Spot) -> None:
        self._platform.remove(self.discarded)
        self._rename(release, self.discarded)

    def _move_all(self, names: Iterable[str], source: Spot, target: Spot) -> None:
        for name in names:
            self._platform.rename(source.below(name), target.below(name))

    def _move_back(self, names: Iterable[str], source: Spot, target: Spot) -> None:
        """Move all, and keep what another component has written meanwhile under such a name."""
        for name in names:
            if self._platform.look_at(target.below(name)) is not None:
                free = free_name(self._platform.names(target), f"{name}.{self._rollout}")
                self._platform.rename(target.below(name), target.below(free))
            self._platform.rename(source.below(name), target.below(name))

    def _rename(self, source: Spot, target: Spot) -> None:
        found = self._platform.look_at(target)
        if found is not None and found.is_folder and not self.has_content(target):
            self._platform.remove(target)
        self._platform.rename(source, target)


def free_name(taken: Iterable[str], name: str) -> str:
    """Return `name`, or `name-2` and so on when it is taken."""
    known, free, number = set(taken), name, 2
    while free in known:
        free, number = f"{name}-{number}", number + 1
    return free


def _data_below(work: Work) -> frozenset[str]:
    """Return which names in the app's folder hold data that this host or the profile placed."""
    live = work.installation.folder
    placed = [*work.installation.data, *map(Path, work.profile.data.folders)]
    below = [folder for folder in placed if folder != live and folder.is_relative_to(live)]
    return frozenset(folder.relative_to(live).parts[0] for folder in below)
