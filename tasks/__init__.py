"""Celery's side of Parley: thin tasks, all of them safe to lose, double, delay or reorder but ``tasks.accept``."""
