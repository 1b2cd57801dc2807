"""The fleet file: what it says, and what is wrong with it, by line and key."""

import pytest

from coordinator.planning.fleet_file import MOST_HOSTS, FleetError, HostEntry, read_fleet

GOOD = """\
# the office
[[host]]
name = "PC-02"
group = "office"

[[host]]
name = "SRV-01"
group = "office"
site = "lyon"
role = "server"
order = 7
"""


def test_hosts_come_in_the_order_of_the_file_with_what_is_left_out_filled_in() -> None:
    assert read_fleet(GOOD, "fleet.toml", "main") == (
        HostEntry("PC-02", "office", "main", "workstation", 1),
        HostEntry("SRV-01", "office", "lyon", "server", 7),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[host]]\nname = x\n", "fleet.toml:2: not TOML"),
        ("[[host]]\nname = 'PC-01'\n", "fleet.toml:1: host 1: group: missing"),
        (GOOD + "color = 'blue'\n", "fleet.toml:12: host 2: color: unknown; known are name,"),
        (GOOD.replace("7", "'7'"), "fleet.toml:11: host 2: order: must be a number"),
        (GOOD.replace("7", "-1"), "fleet.toml:11: host 2: order: must be a number"),
        (
            GOOD.replace("SRV-01", "pc-02"),
            "fleet.toml:7: host 2: name: pc-02 is there twice, first as host 1",
        ),
        (GOOD.replace('"PC-02"', '""'), "fleet.toml:3: host 1: name: must be a text"),
        (GOOD.replace('"PC-02"', "2"), "fleet.toml:3: host 1: name: must be a text"),
        (GOOD.replace("PC-02", "P" * 101), "fleet.toml:3: host 1: name: longer than 100"),
        ("[group]\nname = 'x'\n", "fleet.toml:1: group: unknown"),
        ("host = 7\n", "fleet.toml:1: host: must be 1 to"),
        ("host = [7]\n", "fleet.toml:1: host 1: host: must be a table"),
        ("", "fleet.toml:1: host: must be 1 to"),
        ("[[host]]\n" * (MOST_HOSTS + 1), "fleet.toml:1: host: must be 1 to"),
    ],
)
def test_what_cannot_be_used_is_named_by_line_and_key(text: str, said: str) -> None:
    with pytest.raises(FleetError) as caught:
        read_fleet(text, "fleet.toml", "main")
    assert str(caught.value).startswith(said)
