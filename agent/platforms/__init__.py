"""Operating-system adapters: `base` is what the steps may ask for, one module a system."""
