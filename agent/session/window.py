"""One notice on the screen: a window that is always on top and never takes the keyboard.

What it says is renewed in place, so that nothing moves or blinks while somebody reads it or
types a code. Its cross only puts it aside.
"""

import tkinter
from collections.abc import Callable
from dataclasses import dataclass

from agent.session.code import CodePanel
from agent.session.language import Tongue
from agent.session.look import (
    FOOT,
    INK,
    MAIN_PRESSES,
    PAPER,
    QUOTE,
    SOFT,
    STRIPE,
    WIDTH,
    Fonts,
    button,
    label,
)
from agent.session.tops import Place
from agent.session.words import Press, Wording
from agent.wire.notices import NoticeKind

_MOST_LINES = 6
_CENTERED = {NoticeKind.CLOSED, NoticeKind.YOUR_TURN, NoticeKind.CLOSE_UPDATED}


@dataclass(frozen=True, slots=True)
class Desk:
    """What every notice of one desktop shares."""

    root: tkinter.Tk
    fonts: Fonts
    tongue: Tongue
    never_take_focus: Callable[[int], None]
    monitor: Callable[[], Place]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is called when a person answers."""

    pressed: Callable[[NoticeKind, Press], None]
    typed: Callable[[str], None]


class NoticeWindow:
    """The window of one kind of notice."""

    def __init__(self, desk: Desk, kind: NoticeKind, answers: Answers) -> None:
        self._desk = desk
        self._kind = kind
        self._answers = answers
        self._buttons: dict[Press, tkinter.Button] = {}
        self.top = tkinter.Toplevel(desk.root, background=PAPER, class_="Roundsman")
        self.top.withdraw()
        self._lay_out()
        self._behave()

    def _lay_out(self) -> None:
        top, of = self.top, self._desk.fonts
        tkinter.Frame(top, background=STRIPE[self._kind], height="4p").pack(fill="x")
        self._body = tkinter.Frame(top, background=PAPER, padx="18p", pady="14p")
        self._body.pack(fill="both", expand=True)
        tkinter.Frame(self._body, background=PAPER, width=WIDTH).pack()
        self._heading = label(self._body, of.heading, INK)
        self._count = label(self._body, of.count, STRIPE[self._kind])
        self._lines = [label(self._body, of.text, INK) for _ in range(_MOST_LINES)]
        self._message = label(self._body, of.text, INK, QUOTE)
        self._message.configure(padx="10p", pady="8p")
        self._reply = label(self._body, of.text, SOFT)
        self._code = CodePanel(self._body, of, self._desk.tongue, self._answers.typed)
        self._foot = tkinter.Frame(top, background=FOOT, padx="14p", pady="10p")
        self._foot.pack(fill="x", side="bottom")

    def _behave(self) -> None:
        top = self.top
        top.title(self._desk.tongue.say("Notice about an update"))
        top.resizable(width=False, height=False)
        top.attributes("-topmost", 1)
        top.protocol("WM_DELETE_WINDOW", self.put_aside)
        top.bind("<Escape>", lambda _event: self.put_aside())
        top.bind("<FocusIn>", self._focus_came)
        top.update_idletasks()  # makes the window that the window manager will see
        self._desk.never_take_focus(top.winfo_id())

    def _focus_came(self, event: "tkinter.Event[tkinter.Misc]") -> None:
        """Let the keyboard reach a button as soon as a person has come to the window."""
        if event.widget is self.top:
            self._focus_button()

    def _focus_button(self) -> None:
        if self._buttons:
            list(self._buttons.values())[-1].focus_set()

    def say(self, words: Wording) -> None:
        """Say this now, in place of what was said before."""
        _put(self._heading, words.heading)
        _put(self._count, words.countdown, above="6p")
        for i, line in enumerate(self._lines):
            _put(line, words.lines[i] if i < len(words.lines) else "", above="6p")
        quoted = self._desk.tongue.say("“{message}”", message=words.message)
        _put(self._message, quoted if words.message else "", above="10p")
        self._offer(words.buttons)

    def reply(self, text: str) -> None:
        """Say that an answer was heard; "" = nothing was answered yet."""
        _put(self._reply, text, above="10p")

    def allow(self, *, answers: bool) -> None:
        """Let the buttons be pressed, or not for now."""
        for each in self._buttons.values():
            each.configure(state="normal" if answers else "disabled")

    def _offer(self, wanted: tuple[tuple[Press, str], ...]) -> None:
        if tuple(self._buttons) != tuple(press for press, _ in wanted):
            self._make_buttons([press for press, _ in wanted])
        for press, text in wanted:
            self._buttons[press].configure(text=text)

    def _make_buttons(self, presses: list[Press]) -> None:
        for old in self._buttons.values():
            old.destroy()
        self._buttons = {press: self._made(press) for press in presses}
        for press, made in reversed(self._buttons.items()):  # from the right edge on
            made.pack(side="left" if press is Press.CODE else "right", padx=("8p", 0))

    def _made(self, press: Press) -> tkinter.Button:
        made = button(self._foot, "", self._desk.fonts, main=press in MAIN_PRESSES)
        made.configure(command=lambda: self._press(press))
        return made

    def _press(self, press: Press) -> None:
        if press is Press.OK:
            self.put_aside()
        elif press is Press.CODE:
            self._code.open()
        else:
            self._answers.pressed(self._kind, press)

    def judged(self, *, opened: bool, why: str) -> None:
        """Say what became of the code."""
        self._code.judged(opened=opened, why=why)

    @property
    def is_up(self) -> bool:
        """True while it is on the screen."""
        return self.top.state() == "normal"

    def come_up(self) -> None:
        """Come to the screen, above the others, without the keyboard."""
        if self.is_up:
            return
        self.top.update_idletasks()
        self.top.geometry(self._place())
        if self._desk.root.focus_get() is None:  # remembered for when a person comes here
            self._focus_button()
        self.top.deiconify()
        self.top.lift()

    def _place(self) -> str:
        there = self._desk.monitor()
        wide, high = self.top.winfo_reqwidth(), self.top.winfo_reqheight()
        left, top = there.left + there.width - wide, there.top + there.height - high
        if self._kind in _CENTERED:
            return f"+{(there.left + left) // 2}+{there.top + (top - there.top) // 3}"
        margin = round(self.top.winfo_fpixels("24p"))
        return f"+{max(there.left, left - margin)}+{max(there.top, top - 2 * margin)}"

    def put_aside(self) -> None:
        """Leave the screen until there is a reason to come back."""
        self._code.close()
        self.top.withdraw()

    def end(self) -> None:
        """Go for good."""
        self.top.destroy()


def _put(widget: tkinter.Label, text: str, above: str = "0") -> None:
    """Say `text`, or take no room when there is none."""
    if widget.cget("text") != text:
        widget.configure(text=text)
    if text and not widget.winfo_manager():
        widget.pack(fill="x", pady=(above, 0))
    elif not text and widget.winfo_manager():
        widget.pack_forget()
