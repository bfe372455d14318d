"""What docs/first-hour.md lets a newcomer do is run, not only read."""

from __future__ import annotations

import re
from pathlib import Path

from config.settings import load
from worker.domain.conversation import Conversation

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "first-hour.md").read_text(encoding="utf-8")


def block(language: str, having: str) -> str:
    """The one code block of the page in this language that has these words in it."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if having in text]
    return found


def test_the_settings_of_the_page_load(tmp_path):
    appended = re.findall(r">> \.env <<'END'\n(.*?)END\n", PAGE, re.DOTALL)
    file = tmp_path / ".env"
    file.write_text((PROJECT / ".env.example").read_text(encoding="utf-8") + "".join(appended))
    settings = load(env_file=file)
    assert settings.personas["ava"].api_key.get_secret_value() == "ft_sk_ava"
    speak = {name: persona.speaks for name, persona in settings.personas.items()}
    assert speak == {"ava": "handshake", "cleo": "characters"}
    assert settings.fluidtalk.base_url == "http://127.0.0.1:8001"
    assert settings.worker.task_events


def test_the_first_message_is_accepted_once(monkeypatch, tmp_path, redis_server, capsys, store):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    exec(compile(block("python", "enqueue"), "docs/first-hour.md", "exec"), {})
    assert capsys.readouterr().out == block("console", "first_message.py").partition("\n")[2]


def test_the_message_with_a_connector_token_has_the_name_that_the_page_shows(
    monkeypatch, tmp_path, redis_server, capsys, store
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    for name, value in re.findall(r"^(PARLEY_PERSONAS__CLEO__\w+)=(.+)$", PAGE, re.MULTILINE):
        monkeypatch.setenv(name, value)
    script = block("python", "enqueue")
    for before, now in (("ava", "cleo"), ("@john_doe", "john_doe"), ("msg-1", "msg-3")):
        assert f'"{before}"' in script
        script = script.replace(f'"{before}"', f'"{now}"')
    exec(compile(script, "docs/first-hour.md", "exec"), {})
    assert "status='accepted'" in capsys.readouterr().out
    named = re.search(r"parley explain cleo (\S+)", PAGE)
    assert store.known.are_known([Conversation("cleo", named[1])])
