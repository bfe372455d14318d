"""Parley: a queue-driven conversation worker. Kept empty, so that a producer that imports it starts nothing."""
