"""Made of worker/clients/values/reader.py by make client: change it there."""

from __future__ import annotations

from typing import Any

from parley_client.models.json_values import json_part
from parley_client.models.odd_values import LeftOut, flag_of, name_of_type, text_of


class Reader:
    """Reads the parts of what a stranger sent, one by one; ``left_out`` has those that could not be read."""

    def __init__(self) -> None:
        self.left_out: list[LeftOut] = []

    def text(self, value: object, part: str) -> str | None:
        """As ``text_of``; null is no fault."""
        text = text_of(value)
        if text is None and value is not None:
            self.leave_out(part, f"it is {name_of_type(value)}, not a text")
        return text

    def flag(self, value: object, part: str) -> bool | None:
        """As ``flag_of``; null is no fault."""
        flag = flag_of(value)
        if flag is None and value is not None:
            self.leave_out(part, "it is neither true nor false")
        return flag

    def json_object(self, value: object, part: str) -> dict[str, Any] | None:
        """An object with all of it that JSON can hold; null is no fault."""
        if not isinstance(value, dict):
            if value is not None:
                self.leave_out(part, f"it is {name_of_type(value)}, not an object")
            return None
        held, faults = json_part(value)
        for fault in sorted(faults):
            self.leave_out(part, f"a part of it: {fault}")
        return held  # type: ignore[no-any-return]

    def leave_out(self, part: str, reason: str) -> None:
        """Remember a part that cannot be used."""
        self.left_out.append(LeftOut(part, reason))
