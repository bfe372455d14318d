"""Events become bodies of requests, within the limits of the ingress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from parley_client.errors import InvalidEvent
from parley_client.models.events import Event, parse

MOST_EVENTS = 1000
# The usual limit of the ingress is 1 MiB. Where it is lower, a batch that is refused is halved.
MOST_BYTES = 1_000_000


class Prepared(NamedTuple):
    """An event that may be sent, and its JSON."""

    event: Event
    body: bytes


# Events with their places among those that were given.
Batch = list[tuple[int, Prepared]]


def prepared(event: object) -> Prepared:
    """Check an event, and give it an id when it has none. Raises ``InvalidEvent``."""
    if isinstance(event, BaseModel):
        # Checked again: a copy of a model may have other fields than it was checked with.
        event = event.model_dump(warnings=False)
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"event: {type(event).__name__} is neither an event nor a mapping with kind")
    checked = parse(dict(event))
    return Prepared(checked, checked.model_dump_json(exclude_none=True).encode())


def batches(ready: Iterable[tuple[int, Prepared]]) -> Iterator[Batch]:
    """Divide events into arrays for one request each, in their order."""
    batch: Batch = []
    size = 0
    for each in ready:
        length = len(each[1].body) + 1
        if batch and (len(batch) == MOST_EVENTS or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch
