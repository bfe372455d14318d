"""The two ways to say that it cannot be done."""

from __future__ import annotations


class No(Exception):
    """The answer is no: exit status 1. The text is a sentence for the operator."""


class Usage(Exception):
    """The command was given something it cannot use: exit status 2."""
