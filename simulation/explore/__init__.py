"""Explores what can happen to a small world: the real Lua scripts and the real turns, one step at a time.

Workers, beat, producers, operators and both upstreams take turns under one scheduler and a clock that stands still
between steps. One seed is one run, so every failure can be seen again (docs/explore.md).
"""
