"""A fault that is put into the store's scripts on purpose, to see whether the exploration finds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from worker.store.redis.lua_library import as_carried


@dataclass(frozen=True)
class Mutation:
    """In ``file`` (below ``worker/store/lua``, without its ending) ``old`` is replaced by ``new``; it is there once.

    ``says``: what the script does then.
    """

    file: str
    old: str
    new: str
    says: str

    def of(self, text: str) -> str:
        """The text of a script with the fault in it; the same text when the file is no part of it.

        Raises ``ValueError`` when the file has changed, and has no such place, or more than one.
        """
        if self._body.count(self.old) != 1:
            raise ValueError(f"{self.file}.lua has {self._body.count(self.old)} places like {self.old!r}: name another")
        if self.file.startswith("lib/"):
            # A script carries those parts of a library that it needs, without the comments.
            return text.replace(self.old, self.new)
        body = as_carried(self._body, text)
        if not text.endswith(body):
            return text
        return text.removesuffix(body) + as_carried(self._body.replace(self.old, self.new), text)

    @cached_property
    def _body(self) -> str:
        return (resources.files("worker.store") / "lua" / f"{self.file}.lua").read_text(encoding="utf-8")
