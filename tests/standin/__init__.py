"""The stand-in application and its witness, as real processes."""
