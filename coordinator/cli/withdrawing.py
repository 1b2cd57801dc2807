"""`roundsman release withdraw`: a release that was found to be bad is on offer no more."""

from typing import Annotated

import typer

from coordinator.api.asks import WithdrawAsk
from coordinator.api.withdraw_schemas import WithdrawnView
from coordinator.cli.output import Json, end, pairs, show
from coordinator.cli.talk import ask, talking


def withdraw(
    name: Annotated[str, typer.Argument(metavar="APP")],
    version: Annotated[str, typer.Argument()],
    why: Annotated[
        str, typer.Option(help="What is wrong with it; shown to whoever wants it.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Put it back on offer.")] = False,
    as_json: Json = False,
) -> None:
    """Take a release off offer; agents refuse it once the list is signed anew.

    Plans and stagings of it are refused from now on, and a rollout of it begins no further
    workstation. Exits 1 when there is such a rollout: you decide how it ends.
    """
    wanted = ask(WithdrawAsk, why=why, undo=undo)
    with talking() as client:
        done = client.withdraw(name, version, wanted)
    show(done, lambda: _told(done), as_json=as_json)
    end(needs_a_person=done.needs_a_person)


def _told(done: WithdrawnView) -> str:
    facts = pairs(
        [
            ("on offer again" if done.undone else "withdrawn", f"{done.app} {done.version}"),
            ("agents", _agents(done)),
            ("stopped", ", ".join(done.stagings)),
            ("dropped", f"{done.dropped} signatures of the list" if done.dropped else ""),
            *((one.label, one.outcome) for one in done.rollouts),
            *(("mend", one.mend) for one in done.rollouts if one.mend),
        ]
    )
    return f"{facts}\n\nnext: roundsman release sign" if done.to_sign else facts


def _agents(done: WithdrawnView) -> str:
    if not done.to_sign:
        return "accept it" if done.undone else "refuse it"
    return f"{'refuse' if done.undone else 'accept'} it until the list is signed anew"
