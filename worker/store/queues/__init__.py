"""Celery messages: doorbells, and what other producers put into a queue."""
