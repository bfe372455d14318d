"""The ingress: requests of sources become answers. What a handler does with the store runs in a thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from config.settings import Settings, SettingsError
from worker.domain.unexpected import UnexpectedErrors
from worker.observability import metrics
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError
from worker.store.redis.troubles import Saying, trouble_of
from worker.web import bodies, problems, schemas
from worker.web.captivate import CaptivateDoor, Posted
from worker.web.fates import Fates
from worker.web.gathering import Gathered
from worker.web.notices import NoticesDoor
from worker.web.problems import Problem
from worker.web.readiness import Readiness
from worker.web.receipts import Receipts
from worker.web.sending import MOST_EVENTS, Asked, Door
from worker.web.sources import Source, Sources

_log = logging.getLogger("parley.ingress")

# Events of one round trip: few enough that one does not wait long for the others.
_MOST_AT_ONCE = 64

# After a call without an answer, the store is not called for this long.
_AWAY_SECONDS = 0.5

Outcome = TypeVar("Outcome")
Handler = Callable[[Request], Awaitable[Response]]


class Ingress:
    """What the handlers share. ``store``: over the connections of this process; the caller closes it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings.ingress
        self._store = store
        self._unexpected = UnexpectedErrors(_log, "ingress")
        self._saying = Saying()
        self._away_until = 0.0
        self._misfits: set[str] = set()
        self._bodies = bodies.Bodies(settings.ingress)
        self.sources = Sources(settings)
        self._receipts = Receipts(lambda: store.receipt_key.value)
        producer = Producer(settings, store=store)
        self._door = Door(producer, self._receipts, self._unexpected)
        self._sent = Gathered(partial(self._ready_for, self._door.many), _MOST_AT_ONCE)
        captivate = CaptivateDoor(settings, store, producer, self._door)
        self._posted = Gathered(partial(self._ready_for, captivate.many), _MOST_AT_ONCE)
        self._fates = Fates(store, self._receipts)
        self._notices_door = NoticesDoor(settings, store, self._in_thread)
        self.readiness = Readiness(store)

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            self._route("/v1/events", self._events, "POST"),
            self._route("/v1/captivate/{persona}", self._captivate, "POST"),
            self._route("/v1/receipts/{receipt}", self._receipt, "GET"),
            self._route("/v1/notices", self._notices, "GET"),
            self._route("/openapi.json", self._openapi, "GET"),
            self._route("/schemas/{name}.json", self._schema, "GET"),
            self._route("/health/live", self._live, "GET"),
            self._route("/health/ready", self._ready, "GET"),
            self._route(problems.PAGES + "{kind}", self._problem, "GET"),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _of_framework})
        # A redirect would repeat the address of the request.
        app.router.redirect_slashes = False
        return app

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def counted(request: Request) -> Response:
            began_at = time.perf_counter()
            response = await self._answer(handler, request)
            source = getattr(request.state, "source", "none")
            metrics.web_answer(source, response.status_code, time.perf_counter() - began_at)
            return response

        return Route(path, counted, methods=list(methods))

    async def _answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            return problem.response()
        except StoreError as error:
            return problems.of_store(error).response()
        except SettingsError as error:
            self._say_once(str(error))
            return Problem("not-ready", "its settings do not fit the store").response()
        except Exception as error:
            # Neither the log nor the answer gets its text: it may quote the request.
            self._unexpected.note(error)
            return Problem("internal", f"an error of the ingress itself ({type(error).__name__})").response()

    def _say_once(self, misfit: str) -> None:
        if misfit not in self._misfits:
            self._misfits.add(misfit)
            _log.error("ingress accepts nothing: %s", misfit)

    async def _events(self, request: Request) -> Response:
        source, body = await self._asked(request)
        value = bodies.decoded(body)
        key = _key_of(request, source)
        if isinstance(value, list):
            return await self._array(source, value, key)
        source.spend(1)
        result = await self._sent.do(Asked(source, value, key))
        if isinstance(result, Problem):
            raise result
        return JSONResponse(result, 202)

    async def _array(self, source: Source, values: list[object], key: str) -> Response:
        if len(values) > MOST_EVENTS:
            raise Problem("too-many-events", f"{len(values)} events, the limit is {MOST_EVENTS}")
        source.spend(max(1, len(values)))
        asked = [Asked(source, value, f"{key}-{at}" if key else "") for at, value in enumerate(values)]
        results = await self._in_thread(self._door.many, asked)
        told = [result.document() if isinstance(result, Problem) else result for result in results]
        return JSONResponse({"results": told}, 207)

    async def _captivate(self, request: Request) -> Response:
        source, body = await self._asked(request)
        payload = bodies.decoded_of_platform(body, request)
        source.spend(1)
        persona, key = request.path_params["persona"], _key_of(request, source)
        answer = await self._posted.do(Posted(source, persona, payload, key))
        if isinstance(answer, Problem):
            raise answer
        headers = {
            "Parley-Receipt": answer.receipt["receipt"],
            "Parley-Event-Id": answer.receipt["event_id"],
            "Parley-Status": answer.receipt["status"],
        }
        if self._settings.captivate.answer == "receipt":
            return JSONResponse(answer.receipt, 202, headers)
        return JSONResponse(answer.body, 200, headers)

    async def _receipt(self, request: Request) -> Response:
        source = self.sources.of_reader(request.headers)
        request.state.source = source.name
        source.spend(1)
        return JSONResponse(await self._in_thread(self._fates.of, source, request.path_params["receipt"]))

    async def _notices(self, request: Request) -> Response:
        source = self.sources.of_reader(request.headers)
        request.state.source = source.name
        source.spend(1)
        return JSONResponse(await self._notices_door.answer(source, request.query_params))

    async def _openapi(self, _: Request) -> Response:
        return Response(schemas.written("openapi"), media_type="application/json")

    async def _schema(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in schemas.NAMES:
            raise Problem("not-found", "no schema has this name")
        return Response(schemas.written(name), media_type="application/schema+json")

    async def _live(self, _: Request) -> Response:
        return PlainTextResponse("live\n")

    async def _ready(self, _: Request) -> Response:
        verdict = await run_in_threadpool(self.readiness.ready)
        return PlainTextResponse(f"{verdict.says}\n", 200 if verdict.good else 503)

    async def _problem(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in problems.KINDS:
            raise Problem("not-found", "no problem has this name")
        return PlainTextResponse(problems.page(kind))

    async def _asked(self, request: Request) -> tuple[Source, bytes]:
        """The source of a request, and its body."""
        claim = self.sources.claim(request.headers)
        bodies.media_type(request)
        body = await self._bodies.read(request)
        source = claim(body)
        request.state.source = source.name
        return source, body

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await run_in_threadpool(self._ready_for, call, *arguments)

    def _ready_for(self, call: Callable[..., Outcome], *arguments: Any) -> Outcome:
        if time.monotonic() < self._away_until:
            # Who has waited for a thread while others found the store away would wait for as long again.
            raise StoreError("unreachable a moment ago")
        try:
            self._store.layout.ensure()
            self._receipts.prepare()
            outcome = call(*arguments)
        except StoreError as error:
            trouble = trouble_of(error)
            if not trouble.answered:
                self._away_until = time.monotonic() + _AWAY_SECONDS
            if self._saying.now(trouble):
                _log.warning("ingress: store %s", trouble.told("senders are told to come again"))
            raise
        seconds = self._saying.over()
        if seconds is not None:
            _log.warning("ingress: store answers again after %.0f s", seconds)
        return outcome


def _key_of(request: Request, source: Source) -> str:
    # What is signed is what the sender said: another header may have been added on the way.
    return request.headers.get("webhook-id" if source.signs else "idempotency-key", "")


async def _of_framework(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:
        return Problem("method-not-allowed", "this address takes another method", headers=headers).response()
    return Problem("not-found", "no resource has this address").response()
