"""Wrong passwords make the next try wait longer. Nobody can keep an operator out with it."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_KEYS = 10_000
_FORGOTTEN_SECONDS = 900.0
# So many wrong ones are free, for typing errors.
_FREE_OF_PAIR = 3
_FREE_OF_ADDRESS = 20
_LONGEST_SECONDS = 300.0


@dataclass(slots=True)
class _Wrong:
    count: int = 0
    at: float = 0.0
    until: float = 0.0


class Throttle:
    """Counts wrong passwords for each pair of name and address, and for each address.

    A pair: what somebody tries from elsewhere makes no one wait here. ``known`` browsers, in which the operator has
    logged in before, are a pair of their own, so that a neighbour behind the same address makes them wait neither.
    Memory is bounded: the pair that was quiet for the longest time is forgotten first. For one thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[tuple[str, str], _Wrong] = OrderedDict()

    def wait_seconds(self, name: str, address: str, known: str = "") -> float:
        """How long the next try has to wait; 0 = it may be made now."""
        now = self._clock()
        found = [self._wrong.get(key) for key in self._keys(name, address, known)]
        return max([0.0, *(wrong.until - now for wrong in found if wrong)])

    def failed(self, name: str, address: str, known: str = "") -> None:
        """A password was wrong."""
        now = self._clock()
        for key in self._keys(name, address, known):
            wrong = self._wrong.pop(key, None) or _Wrong()
            if now - wrong.at > _FORGOTTEN_SECONDS:
                wrong = _Wrong()
            wrong.count, wrong.at = wrong.count + 1, now
            beyond = wrong.count - (_FREE_OF_PAIR if key[0] else _FREE_OF_ADDRESS)
            if beyond >= 0:
                wrong.until = now + min(_LONGEST_SECONDS, 2.0 ** min(beyond, 16))
            self._wrong[key] = wrong
        while len(self._wrong) > _MOST_KEYS:
            self._wrong.popitem(last=False)

    def succeeded(self, name: str, address: str, known: str = "") -> None:
        """The password was right: the count of the pair is reset.

        Only this try is taken off that of the address, or the owner of one password could try others for ever."""
        pair, *others = self._keys(name, address, known)
        self._wrong.pop(pair, None)
        for key in others:
            if wrong := self._wrong.get(key):
                wrong.count -= 1

    @staticmethod
    def _keys(name: str, address: str, known: str) -> list[tuple[str, str]]:
        # Names are as long as who tries them wants.
        name = name[:64] or "-"
        if known:
            return [(name, f"browser {known}")]
        place = _network(address)
        return [(name, place), ("", place)]


def _network(address: str) -> str:
    """The address; of IPv6 the network, in which one machine has as many addresses as it wants."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(given, ipaddress.IPv6Address):
        return given.ipv4_mapped.compressed if given.ipv4_mapped else str(ipaddress.ip_network((given, 64), False))
    return given.compressed
