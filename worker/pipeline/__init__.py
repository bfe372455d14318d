"""The way of an event, from the producer to its end."""
