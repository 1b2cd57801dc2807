"""What crosses the network, and how: the only part of the agent that the coordinator imports."""
