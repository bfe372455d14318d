"""The console's application: which address is which page, who may see it, and what every answer carries."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from config.settings import Settings, SettingsError
from worker.domain.unexpected import UnexpectedErrors
from worker.store import Store, StoreError
from worker.web.bodies import Bodies
from worker.web.console import live, pages
from worker.web.console.conditions import Conditions
from worker.web.console.login import Login
from worker.web.console.operators import Operators
from worker.web.console.rendering import file_of, render
from worker.web.console.sealed import Sealed
from worker.web.console.sessions import Session, Sessions
from worker.web.console.visits import TOLD, Refusal, Visit
from worker.web.problems import Problem
from worker.web.readiness import Readiness

_log = logging.getLogger("parley.console")

_FORM_BYTES = 64 * 1024
_FORM_SECONDS = 10.0
_SAFE = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[Request], Awaitable[Response]]


class Console:
    """What the pages share. ``store``: over the connections of this process; the caller closes it.

    Raises ``SettingsError`` when the file of the operators cannot be read.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._unexpected = UnexpectedErrors(_log, "console")
        try:
            self.operators = Operators(settings.operators_file)
        except ValueError as fault:
            raise SettingsError(f"PARLEY_OPERATORS_FILE: {fault}") from None
        limits = {"body_bytes": _FORM_BYTES, "body_bytes_in_all": 50 * _FORM_BYTES, "request_seconds": _FORM_SECONDS}
        self._bodies = Bodies(settings.ingress.model_copy(update=limits))
        self._conditions = Conditions(settings, store)
        self._sealed = Sealed(lambda: store.receipt_key.value)
        self._sessions = Sessions(settings.console, self.operators, lambda: store.receipt_key.value)
        self._login = Login(settings, self.operators, self._sessions)
        self.readiness = Readiness(store)
        # Whether the server wants to end: what lasts, such as live updates, then ends by itself.
        self.stopping: Callable[[], bool] = lambda: False

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            self._open("/login", self._show_login, "GET"),
            self._open("/login", self._try_login, "POST"),
            self._open("/logout", self._logout, "POST"),
            self._open("/static/{name}", self._static, "GET"),
            self._open("/health/live", self._live, "GET"),
            self._open("/live/{path:path}", self._updates, "GET"),
            *(self._open(path, self._for_operators(page, right), method) for method, path, right, page in pages.PAGES),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._of_framework})
        # A redirect would repeat the address of the request.
        app.router.redirect_slashes = False
        return app

    def _open(self, path: str, handler: Handler, method: str) -> Route:
        async def answered(request: Request) -> Response:
            return with_headers(await self._answer(handler, request))

        return Route(path, answered, methods=[method])

    async def _answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            return _refused(self._refusal_of(error), pages.back_from(request.url.path))

    def _refusal_of(self, error: Exception) -> Refusal:
        match error:
            case Refusal():
                return error
            case Problem():
                return Refusal(413, "That was too much", "The form is larger than any that this console shows.")
            case StoreError():
                return Refusal(503, "The store does not answer", "Try again in a moment.")
            case SettingsError():
                do = "See the log of the web process, or: parley check"
                return Refusal(503, "The settings do not fit the store", do)
            case _:
                self._unexpected.note(error)
                return Refusal(500, "That was an error of ours", "It is in the log of the web process.")

    def _for_operators(self, page: pages.Page, right: pages.Right) -> Handler:
        async def answered(request: Request) -> Response:
            if request.method not in _SAFE:
                _need_own_origin(request, self._settings.console.url)
            session = await run_in_threadpool(self._session, request)
            if session is None:
                return _to_login(request)
            form = await self._form(request)
            if form is not None and not hmac.compare_digest(form.get("token", ""), session.token):
                raise Refusal(403, "This form is not valid any more", "Open the page again and repeat what you did.")
            _need_right(session, right)
            response = await run_in_threadpool(self._shown, page, request, session, form or {})
            self._sessions.renew(response, session)
            return response

        return answered

    def _shown(self, page: pages.Page, request: Request, session: Session, form: dict[str, str]) -> Response:
        self._store.layout.ensure()
        visit = self._visit(request, session, form)
        response = page(visit)
        if visit.told:
            response.delete_cookie(self._sessions.told_cookie)
        if told := response.headers.get("Parley-Told"):
            del response.headers["Parley-Told"]
            self._sessions.set(response, self._sessions.told_cookie, told, 60)
        return response

    def _visit(self, request: Request, session: Session, form: dict[str, str]) -> Visit:
        told = request.cookies.get(self._sessions.told_cookie, "")
        return Visit(
            settings=self._settings,
            store=self._store,
            sealed=self._sealed,
            conditions=self._conditions,
            operator=session.operator,
            token=session.token,
            path=_path_of(request),
            told=self._sealed.open(TOLD, told) or "" if told and request.method in _SAFE else "",
            names=dict(request.path_params),
            query=dict(request.query_params),
            form=form,
        )

    def _session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(self._sessions.cookie, "")
        return self._sessions.read(cookie) if cookie else None

    async def _form(self, request: Request) -> dict[str, str] | None:
        if request.method in _SAFE:
            return None
        body = await self._bodies.read(request)
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=50))
        except ValueError:
            raise Refusal(400, "This is no form", "The console takes what its own pages send.") from None

    async def _show_login(self, request: Request) -> Response:
        session = await run_in_threadpool(self._session, request)
        following = _following(request.query_params.get("next", ""))
        return RedirectResponse(following, 303) if session else self._login.page(following)

    async def _try_login(self, request: Request) -> Response:
        _need_own_origin(request, self._settings.console.url)
        form = await self._form(request) or {}
        return await self._login.answer(request, form, _following(form.get("next", "")))

    async def _logout(self, request: Request) -> Response:
        _need_own_origin(request, self._settings.console.url)
        form = await self._form(request) or {}
        session = await run_in_threadpool(self._session, request)
        response = RedirectResponse("/login", 303)
        if session and hmac.compare_digest(form.get("token", ""), session.token):
            self._sessions.end(response)
            response.headers["Clear-Site-Data"] = '"cache"'
        return response

    async def _updates(self, request: Request) -> Response:
        """Changes of a page as server-sent events."""
        session = await run_in_threadpool(self._session, request)
        if session is None:
            return Response(status_code=401)
        page, names = pages.shown_at(request.path_params["path"])
        if page is None:
            return Response(status_code=404)

        def main() -> str | None:
            current = self._session(request)
            if current is None:
                return None
            visit = replace(self._visit(request, current, {}), names=names, told="", path=_path_of(request)[5:])
            return live.main_of(page(visit))

        return live.stream(main, self._unexpected, self.stopping)

    @staticmethod
    async def _static(request: Request) -> Response:
        found = file_of(request.path_params["name"])
        if found is None:
            raise Refusal(404, "No such page", "No file has this name.")
        content, kind, mark = found
        kept = "public, max-age=31536000, immutable" if request.url.query == mark else "no-cache"
        return Response(content, media_type=kind, headers={"Cache-Control": kept})

    @staticmethod
    async def _live(_: Request) -> Response:
        return Response("live\n", media_type="text/plain")

    @staticmethod
    async def _of_framework(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return with_headers(_refused(Refusal(status, "No such page", "Nothing is at this address.")))


def with_headers(response: Response) -> Response:
    """What every answer says to browsers and proxies."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(refusal: Refusal, back: str = "/") -> Response:
    return HTMLResponse(render("refused.html", refusal=refusal, back=back), refusal.status)


def _need_right(session: Session, right: pages.Right) -> None:
    operator = session.operator
    if right == "act" and not operator.may_act:
        raise Refusal(403, "You may look only", "An operator with the role operator may do this.")
    if right == "read" and not operator.may_read:
        raise Refusal(403, "You may not read what was said", "An operator with the role reader may do this.")


def _need_own_origin(request: Request, url: str | None) -> None:
    """Raises ``Refusal`` for what another site has made a browser send. Browsers say where a form comes from."""
    origin = request.headers.get("origin", "").lower()
    host = request.headers.get("host", "").lower()
    own = origin == url if url else bool(host) and urlsplit(origin).netloc == host
    if not own or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Refusal(
            403,
            "This came from another site",
            "The console takes forms of its own pages only. If it stands behind a proxy, set PARLEY_CONSOLE__URL.",
        )


def _to_login(request: Request) -> Response:
    if request.method not in _SAFE:
        return RedirectResponse("/login", 303)
    path = _path_of(request)
    return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path)}", 303)


def _path_of(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _following(path: str) -> str:
    """A page of the console; the overview instead of any other address."""
    parts = urlsplit(path)
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if inside and not parts.netloc and path.isprintable() else "/"
