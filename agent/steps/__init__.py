"""The steps an agent knows: one file a step, one row a step in `table`."""
