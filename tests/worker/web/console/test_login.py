"""Who gets in, who does not, and for how long."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from config.console import Console as Rules
from worker.web.console.operators import Operators
from worker.web.console.sessions import Sessions

KEY = b"k" * 64


def test_the_right_password_opens_the_page_that_was_asked_for(desk):
    client = desk.stranger()
    asked = client.get("/conversations?state=dead")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/conversations%3Fstate%3Ddead")
    assert "Log in" in client.get(asked.headers["location"]).text
    answer = desk.log_in(client, "kim", next="/conversations?state=dead")
    assert (answer.status_code, answer.headers["location"]) == (303, "/conversations?state=dead")
    assert client.get(answer.headers["location"]).status_code == 200


def test_a_wrong_name_and_a_wrong_password_are_told_alike(desk, caplog):
    first = desk.log_in(desk.stranger(), "kim", "SECRET-password")
    second = desk.log_in(desk.stranger(), "nobody", "SECRET-password")
    assert first.status_code == second.status_code == 401
    assert first.text.replace("kim", "") == second.text.replace("nobody", "")
    assert "SECRET" not in first.text + caplog.text


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "/a\nb"])
def test_after_the_login_nobody_is_sent_elsewhere(desk, elsewhere):
    answer = desk.log_in(desk.stranger(), "kim", next=elsewhere)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_wrong_passwords_slow_the_next_try_and_lock_nobody_out(desk):
    guesser, owner = desk.stranger("192.0.2.66"), desk.stranger("192.0.2.7")
    answers = [desk.log_in(guesser, "kim", "wrong password").status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    slowed = desk.log_in(guesser, "kim")
    assert slowed.status_code == 429, "not even the right one is looked at"
    assert int(slowed.headers["retry-after"]) >= 1
    assert desk.log_in(owner, "kim").status_code == 303


def test_a_neighbour_who_guesses_does_not_slow_a_browser_that_is_known(desk):
    own = desk.browser("kim")
    for _ in range(5):
        desk.log_in(desk.stranger(), "kim", "wrong password")
    assert desk.log_in(desk.stranger(), "kim").status_code == 429
    assert desk.log_in(own, "kim").status_code == 303


def test_the_cookie_is_for_this_site_and_for_no_script(make_desk):
    plain = desk_cookie(make_desk())
    assert plain.startswith("parley_session=")
    assert "httponly" in plain.lower()
    assert "samesite=lax" in plain.lower()
    assert "secure" not in plain.lower()
    behind_tls = make_desk(console={"url": "https://parley.example.com/"})
    client = behind_tls.stranger()
    client.headers["Origin"] = "https://parley.example.com"
    kept = behind_tls.log_in(client, "kim").headers["set-cookie"]
    assert kept.startswith("__Host-parley_session=")
    assert "secure" in kept.lower()


def desk_cookie(desk) -> str:
    return desk.log_in(desk.stranger(), "kim").headers["set-cookie"]


def test_a_session_that_was_put_there_before_is_not_the_one_that_begins(desk):
    planted = desk.browser("vera").cookies["parley_session"]
    client = desk.stranger()
    client.cookies.set("parley_session", planted)
    desk.log_in(client, "kim")
    assert client.cookies.get("parley_session", domain="testserver") != planted
    forged = desk.stranger()
    forged.cookies.set("parley_session", planted[:-4] + "AAAA")
    assert forged.get("/").status_code == 303


def test_who_is_taken_off_the_list_is_out_with_the_next_request(desk):
    browser = desk.browser("kim")
    assert browser.get("/").status_code == 200
    desk.put(("vera", ("viewer",)))
    assert browser.get("/").status_code == 303


def test_a_new_password_ends_the_sessions_of_the_old_one(desk):
    browser = desk.browser("kim")
    desk.hashed = desk.hashed[:-2] + "xx"
    desk.put(("kim", ("viewer",)))
    assert browser.get("/").status_code == 303


def test_logging_out_takes_the_session_away(desk):
    browser = desk.browser("kim")
    assert desk.post(browser, "/logout").headers["location"] == "/login"
    assert browser.get("/").status_code == 303


class Clock:
    """Seconds since 1970, that a test moves."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Idle:
    """A session in a browser that asks now and then, by a clock."""

    def __init__(self, operators: Operators, **rules: int) -> None:
        self.clock = Clock()
        self._sessions = Sessions(Rules(**rules), operators, lambda: KEY, self.clock)
        response = Response()
        self._sessions.write(response, self._sessions.begin(operators.named("kim")))
        self.cookie = self._of(response)

    def is_in_after(self, minutes: float) -> bool:
        """Whether a request after so many minutes is one of the session; then the browser has its new cookie."""
        self.clock.at += minutes * 60
        session = self._sessions.read(self.cookie)
        if session is None:
            return False
        response = Response()
        self._sessions.renew(response, session)
        self.cookie = self._of(response) or self.cookie
        return True

    @staticmethod
    def _of(response: Response) -> str:
        return response.headers.get("set-cookie", "").partition("=")[2].partition(";")[0]


def test_a_session_ends_after_thirty_minutes_without_a_request(desk):
    idle = Idle(Operators(desk.file))
    assert idle.is_in_after(29.9)
    assert idle.is_in_after(29.9), "each request is the beginning of the next 30 minutes"
    assert not idle.is_in_after(30.1)
    assert not idle.is_in_after(0)


def test_a_session_ends_after_twelve_hours_in_any_case(desk):
    idle = Idle(Operators(desk.file))
    assert all(idle.is_in_after(20) for _ in range(36))
    assert not idle.is_in_after(1)


def test_nobody_gets_in_while_there_is_no_operator(desk):
    desk.put()
    assert "parley operator add" in desk.stranger().get("/login").text
    assert desk.log_in(desk.stranger(), "kim").status_code == 401


def test_a_file_that_cannot_be_read_lets_nobody_in(desk, caplog):
    browser = desk.browser("kim")
    desk.file.write_text("kim:operator\n")
    assert browser.get("/").status_code == 303
    assert "nobody may log in" in caplog.text
