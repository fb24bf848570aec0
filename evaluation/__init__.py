"""Evaluating agents: what to drive, workers that drive it, the ledger of results, and the command line."""
