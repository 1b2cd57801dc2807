"""Releases: found at a vendor's, judged, and taken in."""
