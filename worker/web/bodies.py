"""Reads the body of a request within its limits, and the JSON in it."""

from __future__ import annotations

import asyncio
import json

from starlette.requests import ClientDisconnect, Request

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


async def read(request: Request, most_bytes: int, seconds: float) -> bytes:
    """The whole body. Raises ``Problem`` for one that is too large or comes too slowly."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _whole(request, most_bytes)
    except TimeoutError:
        raise Problem("too-slow", f"the body was not complete after {seconds:g} s") from None
    except ClientDisconnect:
        raise Problem("too-slow", "the sender hung up") from None


def decoded(body: bytes) -> object:
    """The JSON value in a body. Raises ``Problem``."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Problem("not-json", "the body is not UTF-8 text") from None
    except RecursionError:
        raise Problem("not-json", "the body is nested too deeply") from None
    except ValueError:
        raise Problem("not-json", "the body cannot be read as JSON") from None


async def _whole(request: Request, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        parts.append(part)
    return b"".join(parts)


def _too_large(most_bytes: int) -> Problem:
    # What is still to come is not read.
    return Problem("body-too-large", f"the limit is {most_bytes} bytes (PARLEY_INGRESS__BODY_BYTES)")
