"""Reads the bodies of requests within their limits, and the JSON in them."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from config.ingress import Ingress
from worker.adapters import json_bodies
from worker.web.problems import Problem

JSON_TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")


def media_type(request: Request) -> str:
    """The media type of the body. Raises ``Problem`` for one that is not read."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in JSON_TYPES:
        raise Problem("media-type", "the header Content-Type is not that of JSON")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("media-type", "the body has a content coding")
    return given


class Bodies:
    """Reads bodies within the limits of each, and of all that are under way together."""

    def __init__(self, limits: Ingress) -> None:
        self._limits = limits
        # The one that has begun first comes first.
        self._under_way: dict[_Body, None] = {}
        self._bytes = 0

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises ``Problem`` for one that is too large or comes too slowly."""
        announced = request.headers.get("content-length", "")
        most_bytes = self._limits.body_bytes
        if announced.isdecimal() and len(announced) < 20 and int(announced) > most_bytes:
            raise _too_large(most_bytes)
        body = _Body(asyncio.timeout(self._limits.request_seconds))
        self._under_way[body] = None
        try:
            async with body.time:
                async for part in request.stream():
                    self._add(body, part)
                    if body.size > most_bytes:
                        raise _too_large(most_bytes)
        except TimeoutError:
            raise Problem("too-slow", body.told(self._limits.request_seconds)) from None
        except ClientDisconnect:
            raise Problem("too-slow", "the sender hung up") from None
        finally:
            self._end(body)
        return b"".join(body.parts)

    def _add(self, body: _Body, part: bytes) -> None:
        if body not in self._under_way:
            return
        body.parts.append(part)
        body.size += len(part)
        self._bytes += len(part)
        while self._bytes > self._limits.body_bytes_in_all:
            # The oldest one is that of a sender who pauses: others are here within milliseconds.
            oldest = next(iter(self._under_way))
            self._end(oldest)
            oldest.give_up()

    def _end(self, body: _Body) -> None:
        if body in self._under_way:
            del self._under_way[body]
            self._bytes -= body.size


class _Body:
    """A body that is being read, and the time that it has."""

    def __init__(self, time: asyncio.Timeout) -> None:
        self.time = time
        self.parts: list[bytes] = []
        self.size = 0
        self._is_given_up = False

    def give_up(self) -> None:
        """End its time now."""
        self._is_given_up = True
        self.parts.clear()
        self.time.reschedule(asyncio.get_running_loop().time())

    def told(self, seconds: float) -> str:
        """Why its time has ended."""
        if self._is_given_up:
            return "it was the slowest of the bodies that are under way, which are too large together"
        return f"the body was not complete after {seconds:g} s"


def decoded(body: bytes) -> object:
    """The JSON value in a body that a user of ours has written. Raises ``Problem``."""
    try:
        return json_bodies.written_by_user(body)
    except json_bodies.NotJson as error:
        raise Problem("not-json", str(error)) from None


def decoded_of_platform(body: bytes, request: Request) -> object:
    """The JSON value in the body of a request of a platform, as far as it can be read. Raises ``Problem``."""
    try:
        return json_bodies.sent_by_platform(body, lambda: request.headers.get("content-type", ""))
    except json_bodies.NotJson as error:
        raise Problem("not-json", str(error)) from None


def _too_large(most_bytes: int) -> Problem:
    # What is still to come is not read.
    return Problem("body-too-large", f"the limit is {most_bytes} bytes (PARLEY_INGRESS__BODY_BYTES)")
