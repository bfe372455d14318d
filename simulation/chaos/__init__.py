"""``make chaos``: kill, freeze and cut everything, and let the servers' logs say what became of the messages."""
