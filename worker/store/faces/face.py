"""The face of a script: what it is given, by name.

A face is a Python function without a body. Its signature is the only place that says which keys and arguments a script
has, and in which order. From it come the types that callers are checked against, the words that a call sends, and the
first lines of the script, which give each of them its name in Lua::

    @face("conversation agenda timeline")
    def hand_over(keys: ConversationKeys, *, journal: Key, name: str, token: str, fence: Text) -> Any:
        \"\"\"Let go of a lease in the middle of a turn, because its process ends.\"\"\"

The script stands in ``lua/`` under the name of the function (an underscore at its end is left out), and there
``conversation``, ``agenda``, ``timeline``, ``journal``, ``name``, ``token`` and ``fence`` are local variables.

``face`` names the keys that are taken from the first parameter, an object of ``worker/store/keys.py``. All others are
given by name: keys first, then arguments. The last of each may be a ``Sequence``, which is a table in Lua.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Annotated, Any, Generic, ParamSpec, cast, get_origin, get_type_hints

from worker.store.keys import Key, Shard

P = ParamSpec("P")

# How a script reads an argument: int and float as numbers, bool as true or false, str and this as the text that came.
# Of what is stored, or compared with what is stored, the text counts: Lua writes numbers in its own way.
Text = Annotated[str | int | float, "text"]

# What one call sends behind the script's name: the number of its keys, the keys, the arguments.
Words = list[Any]


class Face(Generic[P]):
    """Made once for each script, when its module is imported. Reading the signature costs no call anything."""

    def __init__(self, signature: Callable[P, Any], taken: Sequence[str]) -> None:
        self.name = signature.__name__.rstrip("_")
        hints = get_type_hints(signature, include_extras=True)
        hints.pop("return", None)
        owner = hints.pop("keys", None)
        self._taken = [_path(owner, name) for name in taken]
        self._keys = [name for name, hint in hints.items() if hint == Key]
        self._key_tail = [name for name, hint in hints.items() if hint == Sequence[Key]]
        arguments = {name: hint for name, hint in hints.items() if name not in (*self._keys, *self._key_tail)}
        self._tail = [name for name, hint in arguments.items() if get_origin(hint) is Sequence]
        self._arguments = {name: hint for name, hint in arguments.items() if name not in self._tail}
        self._check([*taken, *hints], [*self._keys, *self._key_tail, *self._arguments, *self._tail], list(hints))
        self.named_keys = (*taken, *self._keys, *self._key_tail)
        self.named_arguments = (*self._arguments, *self._tail)
        self._number = len(taken) + len(self._keys)
        self._given = len(hints)
        self._take = _picker(attrgetter, self._taken)
        self._order = _picker(itemgetter, [*self._keys, *self._arguments])
        self._flags = [1 + self._number + place for place, hint in enumerate(self._arguments.values()) if hint is bool]

    def _check(self, names: list[str], in_order: list[str], as_written: list[str]) -> None:
        if len(set(names)) < len(names):
            raise TypeError(f"the face {self.name} gives one name to two things: {' '.join(names)}")
        if in_order != as_written or len(self._key_tail) > 1 or len(self._tail) > 1:
            raise TypeError(f"the face {self.name} names keys first, then arguments, and one Sequence last of each")

    def words(self, *args: P.args, **kwargs: P.kwargs) -> Words:
        """What a call sends. Raises ``TypeError`` or ``KeyError`` when it is not what the signature names."""
        if len(kwargs) != self._given:
            raise TypeError(f"{self.name} is given {len(kwargs)} values by name, and has {self._given}")
        words: Words = [self._number, *self._take(*args), *self._order(kwargs)]
        for place in self._flags:
            words[place] = int(words[place])
        for name in self._key_tail:
            tail = cast("Sequence[str]", kwargs[name])
            words[1 + self._number : 1 + self._number] = tail
            words[0] += len(tail)
        for name in self._tail:
            words += cast("Sequence[str]", kwargs[name])
        return words

    def preamble(self) -> str:
        """The first lines of the script: a local variable for each key and argument."""
        fixed = [*self.named_keys[: self._number]]
        conversions = {int: "tonumber({0})", float: "tonumber({0})", bool: "{0} == '1'"}
        converted = {name: conversions[hint] for name, hint in self._arguments.items() if hint in conversions}
        lines = [
            *_locals("KEYS", fixed, self._key_tail),
            *_locals("ARGV", list(self._arguments), self._tail),
        ]
        if converted:
            lines.append(f"{', '.join(converted)} = {', '.join(how.format(name) for name, how in converted.items())}")
        return "".join(f"{line}\n" for line in lines)


def face(keys: str = "") -> Callable[[Callable[P, Any]], Face[P]]:
    """Makes a face of a function. ``keys``: names of those that are taken from its first parameter, with spaces."""
    return lambda signature: Face(signature, keys.split())


def _path(owner: Any, name: str) -> str:
    # Where an object has the key: itself, or its shard.
    if _has(owner, name):
        return name
    if _has(owner, "shard") and _has(Shard, name):
        return f"shard.{name}"
    raise TypeError(f"{getattr(owner, '__name__', owner)} has no key {name}")


def _has(owner: Any, name: str) -> bool:
    # A method makes a key of what it is given, so it is none by itself.
    return not callable(getattr(owner, name, callable))


def _picker(getter: Callable[..., Callable[[Any], Any]], names: Sequence[str]) -> Callable[..., Sequence[Any]]:
    if len(names) > 1:
        return getter(*names)
    # Of one name the getters of the library return what it stands for, and of none they cannot be made.
    found = [getter(name) for name in names]
    return lambda *owners: [get(*owners) for get in found]


def _locals(table: str, names: Sequence[str], tails: Sequence[str]) -> list[str]:
    lines = []
    if names:
        end = f", 1, {len(names)}" if tails else ""
        lines.append(f"local {', '.join(names)} = unpack({table}{end})")
    for tail in tails:
        if not names:
            lines.append(f"local {tail} = {table}")
            continue
        # Not by ``unpack``, which has room for some thousand values only.
        lines.append(f"local {tail} = {{}}")
        first = len(names) + 1
        lines.append(f"for place = {first}, #{table} do {tail}[place - {len(names)}] = {table}[place] end")
    return lines
