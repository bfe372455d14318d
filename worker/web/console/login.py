"""Logging in: a name and a password become a session."""

from __future__ import annotations

import asyncio
import logging
import math

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.settings import Settings
from worker.adapters import passwords
from worker.web.console.operators import Operators
from worker.web.console.rendering import render
from worker.web.console.sessions import Sessions
from worker.web.console.throttle import Throttle

_log = logging.getLogger("parley.console")

# A password takes 64 MiB for a moment.
_AT_ONCE = 2


class Login:
    """The login page."""

    def __init__(self, settings: Settings, operators: Operators, sessions: Sessions) -> None:
        self._settings = settings
        self._operators = operators
        self._sessions = sessions
        self._throttle = Throttle()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def page(self, following: str, fault: str = "", name: str = "", status: int = 200) -> Response:
        """The form. ``following``: the page that is shown then."""
        nobody = not self._operators.names
        return HTMLResponse(
            render("login.html", following=following, fault=fault, name=name, nobody=nobody), status_code=status
        )

    async def answer(self, request: Request, form: dict[str, str], following: str) -> Response:
        """Log in, or say why not. A wrong name and a wrong password are the same, and take as long."""
        name, password = form.get("name", "").strip().lower(), form.get("password", "")
        address = request.client.host if request.client else ""
        known = await run_in_threadpool(
            self._sessions.known, request.cookies.get(self._sessions.known_cookie, ""), name
        )
        seconds = math.ceil(self._throttle.wait_seconds(name, address, known))
        if seconds > 0:
            response = self.page(following, f"Too many wrong passwords. Try again in {seconds} s.", name, 429)
            response.headers["Retry-After"] = str(seconds)
            return response
        operator = self._operators.named(name)
        # Counted before it is looked at: many tries at once are many.
        self._throttle.failed(name, address, known)
        async with self._room:
            right = await run_in_threadpool(passwords.matches, password, operator.password_hash if operator else None)
        if not right or operator is None:
            _log.warning("a login was refused: wrong name or password")
            return self.page(following, "This name and password do not belong together.", name, 401)
        self._throttle.succeeded(name, address, known)
        return await run_in_threadpool(self._begun, name, following)

    def _begun(self, name: str, following: str) -> Response:
        operator = self._operators.named(name)
        response = RedirectResponse(following, 303)
        if operator is not None:
            self._sessions.write(response, self._sessions.begin(operator))
            self._sessions.write_known(response, name)
            _log.info("operator %s has logged in", name)
        return response
