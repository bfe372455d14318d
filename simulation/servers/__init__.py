"""Real servers and whole systems on loopback."""
