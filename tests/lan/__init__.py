"""An office LAN in one Linux machine: workstations with systemd, a switch, trouble on its wires.

`make test-lan` runs what is here, as root; see `box.py`. Without ROUNDSMAN_LAN=1 nothing of it is
collected.
"""
