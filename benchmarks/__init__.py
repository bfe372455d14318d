"""Measurements: commands that print figures and ratios from one run. Never part of the tests."""
