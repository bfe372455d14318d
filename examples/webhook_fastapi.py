"""A Captivate webhook: each request becomes an event, and the answer is a receipt, at once.

Captivate posts what a lead wrote to ``/captivate/<persona>``. The reply of the persona does not come back on this
request: a Parley worker delivers it later through Captivate's send API.

    WEBHOOK_SECRET=$(openssl rand -hex 32) python -m examples.webhook_fastapi --port 8000
                                                          from the folder above; needs fastapi and uvicorn

Whoever can post here can speak for every lead, so each request has to bring the secret in the header
``X-Webhook-Secret``: set it where the platform, or the gateway in front of you, lets you add a header. Settings come
from the environment or ``.env``; a producer needs ``PARLEY_REDIS_URL`` and the names of personas
(``PARLEY_PERSONAS=ava``), no key.

    401  the secret is missing or another one
    202  accepted, or a duplicate of an event that is already in: the receipt
    422  this request can never be accepted; sending it again changes nothing
    409  the conversation cannot take it now
    503  the store is unreachable, and it is not known whether the event is in: send the same request again
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from config.settings import Settings, SettingsError, load
from worker import from_captivate
from worker.clients.captivate import Captivate, CaptivatePayloadError
from worker.domain.refusals import InboxFull, InvalidEvent, MissingChannel, Refused
from worker.domain.request_ids import id_of_key, id_of_request
from worker.pipeline.producer import Producer
from worker.store import StoreError

LEAST_SECRET = 16


# ---- CHANGE THIS for your platform ----------------------------------------------------------------------------------
def lead_of(payload: object) -> str:
    """One stable handle for one lead: the same lead must get the same text with every request, for ever.

    Here: made from the user's address if the request has one, else from the session id. It is hashed, because handles
    stand in logs and in Celery messages, where neither an address nor a session id may be. A platform that gives its
    leads public handles such as ``@john_doe`` can return those.
    """
    request = Captivate.parse(payload)
    user = request.get_user()
    identity = (user.email if user else None) or request.get_session_id()
    return "lead-" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]


# ---------------------------------------------------------------------------------------------------------------------


def create_app(settings: Settings, secret: str) -> FastAPI:
    """The webhook as an app, for any ASGI server. Opens no connection before the first request.

    ``secret``: what each request has to bring. Raises ``ValueError`` when it is too short to be one.
    """
    if len(secret) < LEAST_SECRET:
        raise ValueError(f"WEBHOOK_SECRET needs at least {LEAST_SECRET} characters: openssl rand -hex 32")
    producer = Producer(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        producer.close()

    app = FastAPI(title="Captivate webhook", lifespan=lifespan)

    # Before the body is read. Compared in constant time: how long it takes must not tell how much of it was right.
    @app.middleware("http")
    async def authenticate(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.headers.get("X-Webhook-Secret", "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return JSONResponse({"refused": "Unauthorized", "why": "the header X-Webhook-Secret does not have it"}, 401)
        return await go_on(request)

    # Not "async def": the store's client blocks, so FastAPI runs this in its threadpool.
    @app.post("/captivate/{persona}", status_code=202)
    def receive(
        persona: str, payload: Annotated[Any, Body()], idempotency_key: Annotated[str | None, Header()] = None
    ) -> dict[str, Any]:
        """Enqueue what the lead wrote. ``Idempotency-Key``: the id of the message, when a gateway sets one."""
        try:
            target = lead_of(payload)
        except CaptivatePayloadError as error:
            raise InvalidEvent(f"not a Captivate request: {error}") from None
        event_id = id_of_key(idempotency_key) if idempotency_key else id_of_request(payload)
        event = from_captivate(payload, persona=persona, target=target, event_id=event_id)
        return asdict(producer.enqueue(event))

    @app.exception_handler(Refused)
    async def refused(_: Request, refusal: Exception) -> JSONResponse:
        status = 409 if isinstance(refusal, InboxFull | MissingChannel) else 422
        return JSONResponse({"refused": type(refusal).__name__, "why": str(refusal)}, status)

    @app.exception_handler(StoreError)
    async def store_away(_: Request, __: Exception) -> JSONResponse:
        why = "the store is unreachable; it is not known whether the event is in: send the same request again"
        return JSONResponse({"refused": "StoreAway", "why": why}, 503, {"Retry-After": "5"})

    return app


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A Captivate webhook that enqueues events for Parley.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        app = create_app(load(role="producer"), os.environ.get("WEBHOOK_SECRET", ""))  # noqa: TID251
    except (SettingsError, ValueError) as error:
        raise SystemExit(str(error)) from None
    uvicorn.run(app, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()
