"""Celery's side of Parley: thin tasks. All but ``tasks.accept`` may be lost, doubled, delayed or reordered."""
