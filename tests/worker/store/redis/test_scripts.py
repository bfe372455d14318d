"""The scripts use the names that their faces declare, all of them and no others, and every server takes them."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module, resources

import pytest

from worker.store import faces
from worker.store.faces.face import Face
from worker.store.redis.ahead import LUA
from worker.store.redis.lua_library import complete
from worker.store.redis.lua_words import words
from worker.store.redis.scripts import Script, Scripts

FOLDER = resources.files("worker.store") / "lua"
KEYWORDS = {
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
    *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
}
# What the language and Redis bring along.
BUILT_IN = {
    *("cjson", "error", "ipairs", "math", "next", "pairs", "pcall", "redis", "select"),
    *("string", "table", "tonumber", "tostring", "type", "unpack"),
}

ALL = {
    face.name: face
    for module in pkgutil.iter_modules(faces.__path__)
    for face in vars(import_module(f"{faces.__name__}.{module.name}")).values()
    if isinstance(face, Face)
}


def code_of(text: str) -> str:
    """Without comments, and of each text only that there is one."""
    texts = re.sub(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", "''", text)
    return re.sub(r"--[^\n]*", "", texts)


def body_of(name: str) -> str:
    """The code of one script."""
    return code_of((FOLDER / f"{name}.lua").read_text(encoding="utf-8"))


def given_names(code: str) -> set[str]:
    """What the code itself gives a name to, wherever: variables, functions, their parameters, what loops run over."""
    found = re.findall(r"\blocal\s+(?!function\b)([\w, ]+?)\s*(?:=|\n|$)", code)
    found += re.findall(r"\bfor\s+([\w, ]+?)\s*(?:=|\bin\b)", code)
    found += re.findall(r"\bfunction\s*\w*\s*\(([\w, .]*)\)", code)
    found += re.findall(r"\bfunction\s+(\w+)", code)
    return {name for group in found for name in re.findall(r"\w+", group)}


def used_names(code: str) -> set[str]:
    """What the code reads or sets, but for fields of tables: those that follow a dot, and those of constructors."""
    without_fields = re.sub(r"(?<!\.)\.\s*[A-Za-z_]\w*", "", code)
    constructors = re.sub(r"([{,]\s*)[A-Za-z_]\w*\s*=(?!=)", r"\1", without_fields)
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", constructors)) - KEYWORDS


def shared_names() -> set[str]:
    """What stands in front of the scripts."""
    parts = [words(), *(part.read_text(encoding="utf-8") for part in (FOLDER / "lib").iterdir())]
    code = code_of("\n".join(parts))
    return set(re.findall(r"^local (?:function )?(\w+)", code, re.M)) | {
        name for line in re.findall(r"^local ([\w, ]+) =", code, re.M) for name in line.split(", ")
    }


# ``rare.NAME`` is a definition that is made when it is called; an unknown NAME is found when the text is put together.
SHARED = shared_names() | {"LEASE_MS", "PERSONAS", "CHANNEL", "NOTICES_BYTES", "NOTICES_MS", "rare"}


def test_every_script_has_a_face_and_every_face_a_script():
    assert {file.name for file in FOLDER.iterdir() if file.name.endswith(".lua")} == {f"{name}.lua" for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_a_script_uses_all_names_of_its_face_and_no_others(name):
    face, code = ALL[name], body_of(name)
    declared = set(face.names)
    assert declared - used_names(code) == set(), "declared, and never used"
    assert used_names(code) - declared - given_names(code) - SHARED - BUILT_IN == set(), "used, and never declared"


@pytest.mark.parametrize("name", ALL)
def test_a_script_has_no_numbers_for_what_has_a_name(name):
    assert used_names(body_of(name)) & {"KEYS", "ARGV"} == set()


@pytest.mark.parametrize("name", ALL)
def test_no_name_of_a_face_stands_for_something_shared(name):
    assert set(ALL[name].names) & (SHARED | BUILT_IN | KEYWORDS) == set()


def test_the_scan_finds_what_is_declared_nowhere_and_a_name_that_stands_in_a_comment_or_a_text_only():
    code = code_of(
        "local a, b = 1, 2 -- gone\nlocal function f(x, ...) return x.field + {key = y}[1] end\nf('text', z)\n"
    )
    assert used_names(code) - given_names(code) == {"y", "z"}


@pytest.mark.parametrize(
    "number", [0, 1, 999, 1000, 999_999, 1_000_000, 1_795_915_131_211, 1_795_915_131_001, 7_776_000_000, 10**15 + 7]
)
def test_a_stamp_is_what_the_server_makes_of_the_same_number(store, number):
    prelude = (FOLDER / "lib/prelude.lua").read_text(encoding="utf-8")
    body = f"redis.call('SET', KEYS[1], {number}) return {{stamp({number}), redis.call('GET', KEYS[1])}}"
    assert store.redis.eval(complete([prelude], "", (), body), 1, "parley:{00}:number") == [str(number)] * 2


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("mends", [False, True])
def test_the_server_takes_every_script(store, ahead, mends):
    """Lua allows 200 local variables at once, and 60 of those around it in one function."""
    scripts = Scripts(store.redis, ahead, personas=["ava", "bea"], channel="dev", mends=mends)
    texts = {name: script.text for name, script in vars(scripts).items() if isinstance(script, Script)}
    assert set(texts) == set(ALL)
    for text in texts.values():
        store.redis.script_load(text)
        assert (LUA in text) is ahead
