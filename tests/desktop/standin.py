"""A program of an office with a real window, that closes as real ones do, or does not.

usage: standin.py [--unsaved] [--stubborn] [--hidden] [--relaunch] [--iconic]
       standin.py --tray-itself     a panel that others put their icons in; it writes its number
       standin.py --tray NUMBER     a program that is only an icon in that panel

It writes what happens to it: there, asked, saved, closed; and each key that is typed into it.
"""

import argparse
import os
import sys
import tkinter


def say(word: str) -> None:
    """Write one word for the test that reads."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class App:
    """The window, and what its cross does."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._root = tkinter.Tk(className="Standin", use=options.tray)
        self._root.title("Office Maker: dossier Martin")
        if not options.tray:
            self._root.geometry("420x240+60+60")
        self._text = tkinter.Text(self._root)
        self._text.pack()
        self._text.focus_set()
        self._text.bind("<Key>", lambda event: say(f"key {event.keysym}"))
        self._question: tkinter.Toplevel | None = None

    def run(self) -> None:
        """Come up as the options say, and live."""
        self._root.protocol("WM_DELETE_WINDOW", self._asked)
        if self._options.hidden:
            self._root.withdraw()
        if self._options.iconic:
            self._root.iconify()
        self._root.update()
        say("there")
        if self._options.tray_itself:
            place = tkinter.Frame(self._root, container=True, width=32, height=32)
            place.pack()
            self._root.update()
            say(f"place {place.winfo_id()}")
        self._tick()
        self._root.mainloop()

    def _tick(self) -> None:
        """Come back to Python now and then: only there is a signal handled, coverage's own too."""
        self._root.after(100, self._tick)

    def _asked(self) -> None:
        say("asked")
        if self._options.unsaved:
            self._ask()
        elif not self._options.stubborn:
            self._close()

    def _ask(self) -> None:
        if self._question is None:
            self._question = tkinter.Toplevel(self._root)
            self._question.title("Enregistrer ?")
            self._question.transient(self._root)
            tkinter.Label(self._question, text="Enregistrer les modifications ?").pack(padx=20)
            tkinter.Button(self._question, text="Oui", command=self._save).pack(pady=10)
            self._question.bind("<Return>", lambda _event: self._save())

    def _save(self) -> None:
        say("saved")
        self._close()

    def _close(self) -> None:
        say("closed")
        self._root.destroy()
        if self._options.relaunch:
            os.execv(sys.executable, [sys.executable, "-I", *sys.argv])


def main() -> None:
    """Be the program."""
    parser = argparse.ArgumentParser()
    for name in ("unsaved", "stubborn", "hidden", "relaunch", "iconic"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--tray-itself", action="store_true")
    parser.add_argument("--tray")
    App(parser.parse_args()).run()


if __name__ == "__main__":
    main()
