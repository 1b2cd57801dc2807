"""The first words on a new link, and what is told from them."""

from agent.wire.contract import PROTOCOL, Hello, HelloAsk, Refusal
from agent.wire.errors import LinkRefusal, LinkRefused, RemoteError
from agent.wire.link import AgentLink


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


def is_same_machine(one: Hello | None, other: Hello) -> bool:
    """True when two hellos come from one boot of one machine: linked twice, not cloned."""
    return (
        one is not None
        and bool(other.boot_id)
        and (one.boot_id, one.host_name) == (other.boot_id, other.host_name)
    )
