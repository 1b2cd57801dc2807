"""Who belongs to the fleet: its CA, how a host is let in, the links of those who are in."""
