"""The house itself: who may import whom, and what the documents promise."""
