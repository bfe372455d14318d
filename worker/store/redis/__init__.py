"""Connections to Redis and the scripts that run there."""
