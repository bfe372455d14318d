"""What docs/first-hour.md lets a newcomer do is run, not only read."""

from __future__ import annotations

import re
from pathlib import Path

from config.settings import load

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "first-hour.md").read_text(encoding="utf-8")


def block(language: str, having: str) -> str:
    """The one code block of the page in this language that has these words in it."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if having in text]
    return found


def test_the_settings_of_the_page_load(tmp_path):
    appended = re.search(r"<<'END'\n(.*?)END\n", block("bash", ">> .env"), re.DOTALL)
    file = tmp_path / ".env"
    file.write_text((PROJECT / ".env.example").read_text(encoding="utf-8") + appended[1])
    settings = load(env_file=file)
    assert settings.personas["ava"].api_key.get_secret_value() == "ft_sk_ava"
    assert settings.fluidtalk.base_url == "http://127.0.0.1:8001"
    assert settings.worker.task_events


def test_the_first_message_is_accepted_once(monkeypatch, tmp_path, redis_server, capsys, store):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    exec(compile(block("python", "enqueue"), "docs/first-hour.md", "exec"), {})
    assert capsys.readouterr().out == block("console", "first_message.py").partition("\n")[2]
