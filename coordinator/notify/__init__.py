"""Tells people by mail how a rollout goes."""
