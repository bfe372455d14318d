"""A name that people are shown is readable and harmless, and says the type that goes with it."""

from __future__ import annotations

import mimetypes
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clients.pictures import Chance, chance, name_and_type_of_link, type_of_name, upload_name

AT = "https://cdn.example/p/"


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("My%20Photo.jpg?sig=1", "My Photo.jpg", "image/jpeg"),
        ("My%2520Photo.jpg", "My Photo.jpg", "image/jpeg"),
        ("r%C3%A9sum%C3%A9.png", "r\u00e9sum\u00e9.png", "image/png"),
        ("re%CC%81sume.png", "r\u00e9sume.png", "image/png"),
        ("%E5%86%99%E7%9C%9F.WEBP", "\u5199\u771f.WEBP", "image/webp"),
        ("a.webp#x", "a.webp", "image/webp"),
        ("a.heif", "a.heif", "image/heic"),
        ("a.avif?x=/b.png", "a.avif", "image/avif"),
        ("a.svg", "a.svg", "image/svg+xml"),
        ("", "photo.jpg", "image/jpeg"),
        ("7", "7.jpg", "image/jpeg"),
        ("v1.25", "v1.25.jpg", "image/jpeg"),
        ("photo.png.html", "photo.png.jpg", "image/jpeg"),
        ("photo.html.png", "photo.html.png", "image/png"),
        ("photo.php", "photo.jpg", "image/jpeg"),
        ("..%2f..%2fetc%2fpasswd", "passwd.jpg", "image/jpeg"),
        ("..%5c..%5cboot.png", "boot.png", "image/png"),
        (".htaccess", "htaccess.jpg", "image/jpeg"),
        ("%2e%2e", "photo.jpg", "image/jpeg"),
        ("a%00b%0d%0aX%3a%20y.png", "ab X y.png", "image/png"),
        ("a%22b%3Cc%3E.png", "a b c.png", "image/png"),
        ("holiday%E2%80%AEgpj.exe", "holidaygpj.jpg", "image/jpeg"),
        ("%ff%fe.png", "photo.png", "image/png"),
        ("100%25.gif", "100%.gif", "image/gif"),
        ("%20%20.png", "photo.png", "image/png"),
        ("x" * 400 + ".png", "x" * 160 + ".png", "image/png"),
        ("%C3%A9" * 100 + ".png", "\u00e9" * 80 + ".png", "image/png"),
    ],
)
def test_a_picture_is_shown_under_a_name_that_people_read(path: str, name: str, kind: str) -> None:
    assert name_and_type_of_link(AT + path) == (name, kind)


@given(
    st.text() | st.text().map(AT.__add__) | st.binary().map(lambda raw: AT + "".join(f"%{byte:02x}" for byte in raw))
)
def test_any_link_becomes_a_name_of_its_type(link: str) -> None:
    name, kind = name_and_type_of_link(link)
    assert type_of_name(name) == kind
    assert not set(name) & set('\\/<>:"|?*')
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)
    assert len(name.encode()) < 200
    assert name[0] not in " ."


@given(st.text(), st.sampled_from(["image/jpeg", "image/heic", "image/tiff"]))
def test_any_name_becomes_one_for_an_upload(called: str, kind: str) -> None:
    name = upload_name(called, kind)
    assert (type_of_name(name), name.count("."), name.isascii()) == (kind, 1, True)


def test_no_table_of_the_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "guess_type", None)
    assert name_and_type_of_link(AT + "a.webp") == ("a.webp", "image/webp")


@given(st.lists(st.none() | st.integers() | st.text()), st.none() | st.integers() | st.text(), st.text())
def test_anything_that_is_said_of_a_file_can_be_judged(declared: list[object], name: object, link: str) -> None:
    assert chance(declared, name, link) in Chance
