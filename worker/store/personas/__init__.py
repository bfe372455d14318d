"""A persona in the store: gates, limits, places, the ramp of its outreach."""
