"""The face of a script: what it is given, by name.

A face is a Python function without a body. Its signature is the only place that says which keys and arguments a script
has, and in which order. From it come the types that callers are checked against, the words that a call sends, and the
first lines of the script, which give each of them its name in Lua::

    @face("conversation agenda timeline")
    def hand_over(keys: ConversationKeys, *, journal: Key, name: str, token: str, fence: Text) -> Any:
        \"\"\"Let go of a lease in the middle of a turn, because its process ends.\"\"\"

The script is in ``lua/`` under the name of the function (an underscore at its end is left out), and there
``conversation``, ``agenda``, ``timeline``, ``journal``, ``name``, ``token`` and ``fence`` are local variables.

``face`` names the keys that are taken from the first parameter, an object of ``worker/store/keys.py``. All others are
given by name: keys first, then arguments. The last of each may be a ``Sequence``, which is a table in Lua.

Empty texts at the end are not sent, because each word costs Redis a third of a small command. The script finds them
empty all the same. So what is seldom given stands last in a signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from worker.store.keys import Key, Shard

P = ParamSpec("P")
T = TypeVar("T")

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
        tails = {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is Sequence}
        keys = [name for name, hint in hints.items() if hint is Key]
        key_tail = [name for name, hint in tails.items() if hint is Key]
        tail = [name for name, hint in tails.items() if hint is not Key]
        single = {name: hint for name, hint in hints.items() if hint is not Key and name not in tails}
        if [*keys, *key_tail, *single, *tail] != list(hints) or len(key_tail) > 1 or len(tail) > 1:
            raise TypeError(f"the face {self.name} names keys first, then arguments, and one Sequence last of each")
        self.names = (*taken, *hints)
        if len(set(self.names)) < len(self.names):
            raise TypeError(f"the face {self.name} gives one name to two things: {' '.join(self.names)}")
        self.preamble = _preamble([*taken, *keys], key_tail, single, tail)
        parameters = [*([] if owner is None else ["keys"]), *(["*", *hints] if hints else [])]
        paths = [*(_path(owner, name) for name in taken), *keys]
        self._text = _text(parameters, paths, key_tail, single, tail)

    def then(self, use: Callable[[Words], T]) -> Callable[P, T]:
        """A function with this signature that hands what a call sends to ``use``.

        It raises ``TypeError`` when it is not given what the signature names.
        """
        made: dict[str, Any] = {}
        exec(self._text, {"use": use}, made)  # noqa: S102 - nothing but names of ours
        function: Callable[P, T] = made["call"]
        return function


def _text(
    parameters: list[str], keys: list[str], key_tail: list[str], single: Mapping[str, Any], tail: list[str]
) -> str:
    # A function as one would write it by hand, and as a named tuple makes it: no call looks anything up.
    number = " + ".join([str(len(keys)), *(f"len({name})" for name in key_tail)])
    arguments = [f"1 if {name} else ''" if hint is bool else name for name, hint in single.items()]
    words = [number, *keys, *(f"*{name}" for name in key_tail), *arguments, *(f"*{name}" for name in tail)]
    lines = [f"def call({', '.join(parameters)}):", f"    words = [{', '.join(words)}]", "    return use(words)"]
    if _seldom_given(single, tail):
        lines.insert(2, "    while words[-1] == '': del words[-1]")
    return "\n".join(lines)


def _seldom_given(single: Mapping[str, Any], tail: Sequence[str]) -> list[str]:
    # The arguments at the end that are empty when they are not sent.
    if tail:
        return []
    return list(takewhile(lambda name: single[name] not in (int, float), reversed(list(single))))


def _preamble(keys: Sequence[str], key_tail: Sequence[str], single: Mapping[str, Any], tail: Sequence[str]) -> str:
    # A sum is a number, at half the cost of ``tonumber``.
    conversions = {int: "{0} + 0", float: "{0} + 0", bool: "{0} == '1'"}
    converted = {name: conversions[hint] for name, hint in single.items() if hint in conversions}
    converted |= {name: "{0} or ''" for name in _seldom_given(single, tail) if name not in converted}
    lines = [*_locals("KEYS", keys, key_tail), *_locals("ARGV", list(single), tail)]
    if converted:
        lines.append(f"{', '.join(converted)} = {', '.join(how.format(name) for name, how in converted.items())}")
    return "".join(f"{line}\n" for line in lines)


def face(keys: str = "") -> Callable[[Callable[P, Any]], Face[P]]:
    """Makes a face of a function. ``keys``: names of those that are taken from its first parameter, with spaces."""
    return lambda signature: Face(signature, keys.split())


def _path(owner: Any, name: str) -> str:
    # Where an object has the key: itself, or its shard.
    if _has(owner, name):
        return f"keys.{name}"
    if _has(owner, "shard") and _has(Shard, name):
        return f"keys.shard.{name}"
    raise TypeError(f"{getattr(owner, '__name__', owner)} has no key {name}")


def _has(owner: Any, name: str) -> bool:
    # A method makes a key of what it is given, so it is none by itself.
    return not callable(getattr(owner, name, callable))


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
