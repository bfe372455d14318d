"""Made of worker/clients/values/wire_text.py by make client: change it there."""

from __future__ import annotations


def repair(text: str) -> str:
    """Join the halves of a character where both are there, and put U+FFFD where one is missing.

    Chat platforms deliver broken UTF-16 (protocols.md F7). The result can always be encoded as UTF-8.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
