"""Looks at the store that change nothing."""
