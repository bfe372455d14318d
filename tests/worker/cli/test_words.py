"""What an operator types: handles that look like options, words that are none of ours, terminals without emoji."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.domain.conversation import Conversation

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(command_settings, store):
    """Run the command as a process of its own, with these variables besides."""

    def start(*words, **variables):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        command = [sys.executable, "-m", "worker.cli", *words]
        return subprocess.run(command, capture_output=True, env=environment, timeout=60)

    return start


class TestHandlesThatBeginWithAMinus:
    """One minus and letters is never an option of ours."""

    @pytest.mark.parametrize(
        "words",
        [
            ("explain", "ava", "-john"),
            ("explain", "ava", "-john", "--json"),
            ("explain", "--json", "ava", "-john"),
            ("explain", "--", "ava", "-john"),
            ("explain", "ava", "--", "-john"),
        ],
    )
    def test_they_are_found(self, parley, store, chat, words):
        store.inbox.accept(chat("e1", target="-john"))
        ended = parley(*words)
        assert ended.status == 0
        assert "1 event waits" in ended.out

    def test_two_minuses_go_behind_two_minuses(self, parley, store, chat):
        store.inbox.accept(chat("e1", target="--john"))
        refused = parley("explain", "ava", "--john")
        assert refused.status == 2
        assert "parley explain -- ava --john" in " ".join(refused.err.split())
        assert parley("explain", "--", "ava", "--john").status == 0

    def test_the_value_of_an_option_stays_its_value(self, parley, store, chat):
        store.inbox.accept(chat("e1", target="-john"))
        assert parley("claim", "ava", "-john", "--reason", "-no reason-", "--by=-kim").status == 0
        (taken,) = store.takeovers.all()
        assert taken.reason == "claimed by -kim: -no reason-"


class TestWordsThatAreNoneOfOurs:
    """They end with status 2 and a word that works, never with a traceback."""

    @pytest.mark.parametrize(
        ("words", "hint"),
        [
            (("stauts",), "Did you mean 'status'?"),
            (("dead", "lits"), "Did you mean 'list'?"),
            (("status", "--jsn"), "Possible options: --json"),
            (("nonsense",), "parley --help"),
            (("explain", "ava"), "parley explain --help"),
            (("explain", "ava", "@lead", "-x"), "parley explain --help"),
        ],
    )
    def test_a_hint(self, parley, words, hint):
        ended = parley(*words)
        assert ended.status == 2
        assert hint in " ".join(ended.err.split())
        assert "Traceback" not in ended.err


class TestTerminalsWithoutEmoji:
    """What an encoding does not have is escaped."""

    TARGET = "@mia_\N{FIRE}"

    @pytest.fixture(autouse=True)
    def taken(self, store, chat):
        store.inbox.accept(chat("e1", target=self.TARGET))
        store.takeovers.claim(Conversation("ava", self.TARGET), "kim", "refund \N{FIRE}")

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp932", "utf-8"])
    def test_a_table(self, run, encoding):
        ended = run("claims", PYTHONIOENCODING=encoding)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert ("\N{FIRE}" if encoding == "utf-8" else "\\U0001f525") in ended.stdout.decode(encoding)

    @pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
    def test_json_stays_json(self, run, encoding):
        ended = run("claims", "--json", PYTHONIOENCODING=encoding)
        (taken,) = json.loads(ended.stdout.decode(encoding))
        assert taken["target"] == self.TARGET

    def test_without_a_locale_and_a_hint_on_standard_error(self, run):
        bare = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        assert run("--help", **bare).returncode == 0
        assert b"taken over" in run("explain", "ava", self.TARGET, **bare).stdout
        refused = run("explain", "ava", self.TARGET, "--jsn", **bare)
        assert refused.returncode == 2
        assert b"Traceback" not in refused.stderr
