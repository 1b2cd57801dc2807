"""Real screens for the tests: Xvfb on a free display, a window manager, pictures, their text."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.session.x11 import Screen
from tests.house.source import ROOT
from tests.until import until

PICTURES = ROOT / "build" / "screens"
NEEDED = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "tesseract": "tesseract-ocr",
    "import": "imagemagick",
    "setpriv": "util-linux",
}
_LANGUAGES = {"en": "eng", "fr": "fra"}
_OF_A_DESKTOP = {"DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE", "LANG", "LC_ALL", "LC_MESSAGES"}


def need_programs() -> None:
    """Fail, and say what to install, where a real desktop cannot be made."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    assert not missing, (
        "cannot make a desktop to test on. Install, as root: apt-get install "
        + " ".join(["python3-tk", "tesseract-ocr-fra", *missing])
    )


def environment_of(display: str, **more: str) -> dict[str, str]:
    """Return the environment of a program on this display."""
    kept = {key: value for key, value in os.environ.items() if key not in _OF_A_DESKTOP}
    return kept | {"DISPLAY": display} | more


@contextmanager
def x_server(*options: str) -> Iterator[str]:
    """Run an X server; yield the display that it found free."""
    need_programs()
    readable, writable = os.pipe()
    command = ["Xvfb", "-displayfd", str(writable), "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        [*command, "-screen", "0", "1280x800x24", *options],
        pass_fds=[writable],
        stderr=subprocess.DEVNULL,
    )
    os.close(writable)
    try:
        with os.fdopen(readable) as told:
            yield f":{told.readline().strip()}"
    finally:
        end(server)


@contextmanager
def window_manager(display: str, before: Sequence[str] = ()) -> Iterator[None]:
    """Run a window manager on this display, ready to manage."""
    command = [*before, "openbox", "--sm-disable"]
    manager = subprocess.Popen(
        command, env=environment_of(display), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    screen = Screen(display)
    try:
        until(screen.is_managed, what="a window manager")
        yield
    finally:
        screen.close()
        end(manager)


@contextmanager
def desktop(*options: str, before: Sequence[str] = ()) -> Iterator[str]:
    """Run a whole desktop; yield its display."""
    with x_server(*options) as display, window_manager(display, before):
        yield display


def end(process: "subprocess.Popen[bytes]") -> None:
    """End one program that we started."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def picture(display: str, name: str, window: int = 0) -> Path:
    """Keep a picture of the screen, or of one window; return where."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"{name}.png"
    target = hex(window) if window else "root"
    _run("import", "-display", display, "-window", target, str(file))
    return file


def text_of(file: Path, language: str = "en") -> str:
    """Return the text that can be read on a picture, all spaces alike."""
    large = file.with_suffix(".large.png")
    _run("convert", str(file), "-resize", "200%", "-colorspace", "Gray", str(large))
    spoken = _LANGUAGES[language]
    read = _run("tesseract", str(large), "-", "-l", spoken, "--psm", "6", OMP_THREAD_LIMIT="1")
    large.unlink()
    return " ".join(read.split())


def _run(*command: str, **environment: str) -> str:
    env: Mapping[str, str] = dict(os.environ) | environment
    ran = subprocess.run(command, env=env, capture_output=True, check=True, timeout=30)
    return ran.stdout.decode()
