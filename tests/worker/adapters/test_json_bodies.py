"""The JSON in the bodies of requests."""

from __future__ import annotations

import json

import pytest

from worker.adapters.json_bodies import NotJson, sent_by_platform, written_by_user

BOTH = pytest.mark.parametrize("read", [written_by_user, sent_by_platform])


def levels_of(value):
    levels = 0
    while isinstance(value, list) and value:
        levels, value = levels + 1, value[0]
    return levels


@BOTH
@pytest.mark.parametrize(
    "value", [{"a": [1, -2.5, None, True, '\u00fc \U0001f600 \\ " [{']}, [], "", 0, {"": {}}, [[[]]] * 3, 10**3999]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_is_json_is_read_as_it_is(read, value, ascii_only):
    assert read(json.dumps(value, ensure_ascii=ascii_only).encode()) == value
    assert read(b"\xef\xbb\xbf" + json.dumps(value).encode()) == value


@BOTH
@pytest.mark.parametrize("levels", [1, 500, 1500, 20_000])
def test_what_is_deep_is_cut_and_nothing_beside_it(read, levels):
    deep = "[" * levels + '"[]{}\\" ]"' + "]" * levels
    value = read(f'{{"before": [{{}}, "\\\\"], "deep": {deep}, "after": [{deep}, {{"a": [2]}}]}}'.encode())
    assert (value["before"], value["after"][1]) == ([{}, "\\"], {"a": [2]})
    assert levels_of(value["deep"]) == levels if levels < 150 else levels_of(value["deep"]) > 150


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}}",
        b"[" * 3000,
        b"[" * 3000 + b"]" * 2999,
        b"[" * 3000 + b"]" * 3001,
        b"[" * 3000 + b"]" * 3000 + b",",
        b'{"a": ' + b"[" * 3000 + b"]" * 3000 + b', "b" 1}',
        b'["' + b'\\"' * 400_000,
        b'"' * 800_001,
        b"\\" * 800_000,
    ],
)
def test_what_is_no_json_is_refused(read, body):
    with pytest.raises(NotJson, match=r"^the body cannot be read as JSON$"):
        read(body)


@BOTH
def test_what_holds_too_much_to_be_looked_through_is_refused(read):
    with pytest.raises(NotJson, match="nested too deeply"):
        read(b"[" * 2000 + b"[]," * 50_000 + b"1" + b"]" * 2000)


@pytest.mark.parametrize("number", ["9" * 4301, "-" + "1" * 500_000])
def test_a_long_number_of_a_user_is_too_large_and_that_of_a_platform_is_its_digits(number):
    body = f'{{"a": {number}, "b": 1}}'.encode()
    assert abs(written_by_user(body)["a"]) > 2**1024
    assert sent_by_platform(body)["a"] == number


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"h\xc3", "h\ufffd"),
        (b"h\xff\xfe!", "h\ufffd\ufffd!"),
        (b"h\xed\xa0\xbd\xed\xb8\x80", "h\U0001f600"),
        (b"h\xed\xa0\xbd", "h\ufffd"),
        (b"h\\ud83d\\ude00", "h\U0001f600"),
        (b"h\\ud83d", "h\ufffd"),
        (b"h\n\t", "h\n\t"),
    ],
)
def test_what_of_a_text_of_a_platform_cannot_be_read_is_replaced(raw, text):
    assert sent_by_platform(b'{"a": "' + raw + b'"}') == {"a": text}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_a_platform_may_write_other_encodings_and_a_user_may_not(encoding):
    body = '{"a": "\u00fc"}'.encode(encoding)
    assert sent_by_platform(body) == {"a": "\u00fc"}
    with pytest.raises(NotJson):
        written_by_user(body)


def test_the_charset_of_a_platform_decides_when_its_bytes_do_not():
    body = '{"a": "\u00fc"}'.encode("latin-1")
    assert sent_by_platform(body) == {"a": "\ufffd"}
    assert sent_by_platform(body, lambda: "application/json; charset=iso-8859-1") == {"a": "\u00fc"}


@pytest.mark.parametrize("raw", [b"\xc3", b"\xed\xa0\xbd", b"\n"])
def test_the_text_of_a_user_is_that_of_the_standard(raw):
    with pytest.raises(NotJson):
        written_by_user(b'"' + raw + b'"')
