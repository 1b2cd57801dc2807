"""The race: one rolling update of one office, by Roundsman and by what an admin would use instead.

`make bench-lan` runs it, as root; `python -m tests.lan.race ROW...` some of it.
"""
