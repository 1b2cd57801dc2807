"""The first words on a new link, and what is told from them."""

from datetime import UTC, datetime
from typing import Any

from agent.wire.contract import PROTOCOL, Hello, HelloAsk, Refusal
from agent.wire.errors import LinkRefusal, LinkRefused, RemoteError
from agent.wire.link import AgentLink
from coordinator.fleet.standing import Standing


def greet(link: AgentLink, version: str, deadline: float) -> Hello:
    """Return the agent's hello.

    Raises:
        LinkRefused: it speaks another protocol, or cannot say hello.
        LinkError: it did not answer within `deadline` seconds, or not in the contract's words.
    """
    try:
        hello: Hello = link.call("hello", HelloAsk(PROTOCOL, version), deadline)
    except RemoteError as error:
        raise LinkRefused(LinkRefusal.BAD_HELLO, f"cannot say hello: {error}") from error
    if hello.protocol != PROTOCOL or hello.refusal is Refusal.PROTOCOL_MISMATCH:
        raise LinkRefused(
            LinkRefusal.PROTOCOL_MISMATCH,
            f"speaks protocol {hello.protocol} (agent {hello.version}), this coordinator speaks "
            f"{PROTOCOL}: install agent {version} there",
        )
    return hello


def said_by(hello: Hello) -> dict[str, Any]:
    """Return what a host's standing has of a hello that was heard right now."""
    return {"hello": hello, "met": datetime.now(UTC)}


def linked_by(link: AgentLink, hello: Hello) -> dict[str, Any]:
    """Return what a host's standing has of a new link, right after its hello."""
    about = {"linked": True, "since": link.since, "address": link.address}
    return about | said_by(hello) | {"refusal": None, "problem": ""}


def is_same_machine(one: Hello | None, other: Hello) -> bool:
    """True when two hellos come from one boot of one machine: linked twice, not cloned."""
    return (
        one is not None
        and bool(other.boot_id)
        and (one.boot_id, one.host_name) == (other.boot_id, other.host_name)
    )


def linked_already(known: Hello | None, hello: Hello, address: str) -> LinkRefused:
    """Return why a host that answers on another link, from `address`, may not have this one."""
    why = LinkRefusal.ALREADY_LINKED if is_same_machine(known, hello) else LinkRefusal.CLONE
    return LinkRefused(why, f"linked already, from {address}")


def check_known(standing: Standing, hello: Hello, address: str) -> None:
    """Let none of two machines with one certificate take the other's place once it is silent.

    The one that had the link is told by its boot or, when it was started anew, by its address:
    that proves nothing to a stranger, but no stranger has the key. Raises `LinkRefused`.
    """
    is_known = is_same_machine(standing.hello, hello) or standing.address == address
    if standing.clone_address and not is_known:
        raise LinkRefused(
            LinkRefusal.CLONE, f"two machines hold its certificate; it was {standing.address}"
        )
