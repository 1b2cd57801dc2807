"""Plans: who is visited when, and whether the day is long enough. Pure: no I/O, no clock."""
