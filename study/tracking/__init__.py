"""What MLflow shows of a study: a mirror of ledger and histories, which it may lag behind.

The driver leaves what happened with a sender, a thread of its own, and never waits for a server.
Whatever was missed is made up for from the ledger and the histories alone.
"""
