"""What was done: the report of a rollout, for programs, terminals and paper."""
