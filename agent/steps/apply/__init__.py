"""How a release is put in place and taken back: one file a kind, one row a kind in `kinds`."""
