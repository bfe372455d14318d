"""Where the clients meet the domain."""
