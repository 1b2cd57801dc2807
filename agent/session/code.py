"""Where the one-time code is typed: what is at stake comes first, the entry only after it."""

import tkinter
from collections.abc import Callable

from agent.session.language import Tongue
from agent.session.look import BAD, GOOD, INK, PAPER, Fonts, button, label

_MOST = 40


class CodePanel:
    """The part of a notice that takes the one-time code; closed until it is asked for."""

    def __init__(
        self, parent: tkinter.Misc, of: Fonts, tongue: Tongue, typed: Callable[[str], None]
    ) -> None:
        self._tongue = tongue
        self._typed = typed
        self._frame = tkinter.Frame(parent, background=PAPER)
        self._stake = label(self._frame, of.text, BAD)
        self._stake.configure(text=self._at_stake())
        self._stake.pack(fill="x")
        self._row = tkinter.Frame(self._frame, background=PAPER)
        self._row.pack(fill="x", pady=("10p", 0))
        self._lay_out(of)
        self._said = label(self._frame, of.text, INK)

    def _at_stake(self) -> str:
        say = self._tongue.say
        return "\n".join(
            (
                say("Opening it now stops the update of the whole office."),
                say("Your colleagues would then work with different versions."),
                say("Use a code only if you were told to; those who run the update will know."),
            )
        )

    def _lay_out(self, of: Fonts) -> None:
        name = tkinter.Label(
            self._row, text=self._tongue.say("Code:"), font=of.text, background=PAPER
        )
        name.pack(side="left")
        self._entry = tkinter.Entry(
            self._row, font=of.text, width=18, relief="solid", borderwidth=1, background=PAPER
        )
        self._entry.pack(side="left", padx="8p", ipady="3p")
        self._entry.bind("<Return>", lambda _event: self._send())
        self._entry.bind("<KP_Enter>", lambda _event: self._send())
        self._send_button = button(self._row, self._tongue.say("Use this code"), of)
        self._send_button.configure(command=self._send)
        self._send_button.pack(side="left")

    def open(self) -> None:
        """Show what is at stake, and the entry."""
        if not self._frame.winfo_manager():
            self._say("", INK)
            self._frame.pack(fill="x", pady=("12p", 0))
        self._entry.focus_set()

    def close(self) -> None:
        """Forget what was typed and take no room."""
        self._entry.delete(0, "end")
        self._frame.pack_forget()

    def _send(self) -> None:
        code = "".join(c for c in self._entry.get() if c.isprintable()).strip()[:_MOST]
        if code:
            self._say(self._tongue.say("One moment, the code is being checked."), INK)
            self._typed(code)

    def judged(self, *, opened: bool, why: str) -> None:
        """Say what became of the code."""
        self._entry.delete(0, "end")
        if opened:
            self._say(self._tongue.say("The code is right. You can open it now."), GOOD)
        else:
            refused = self._tongue.say("This code was not accepted.")
            self._say(f"{refused}\n{_sentence(why)}".strip(), BAD)

    def _say(self, text: str, ink: str) -> None:
        self._said.configure(text=text, foreground=ink)
        if text:
            self._said.pack(fill="x", pady=("8p", 0))
        else:
            self._said.pack_forget()


def _sentence(text: str) -> str:
    """Return the service's reason as a sentence of its own."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
