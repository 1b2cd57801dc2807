"""The walk: what a rollout does, in plain functions over `ports`; nothing here does I/O."""
