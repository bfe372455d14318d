"""Made of worker/domain/events.py by make client: change it there."""
