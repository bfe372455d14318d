"""A conversation in the store: inbox, lease, journal, agenda."""
