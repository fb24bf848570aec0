"""Action tokens: what a token policy says, and how it becomes a trajectory and a control. `python -m agents.tokens`."""
