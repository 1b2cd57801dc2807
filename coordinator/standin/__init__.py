"""The demo's stand-in: a small office application, its releases, and an independent witness.

All but `make_release` are plain scripts, run as separate processes with `python -I`. They use
the standard library only and import nothing of this project, so that what they say about a
rollout does not rest on the code that made it.
"""
