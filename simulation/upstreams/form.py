"""Reading the forms of the FluidTalk API (protocols.md 1.1, 1.3)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import python_multipart

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


class UnreadableForm(ValueError):
    """The body is not the form that its Content-Type announces, or the Content-Type is no form."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file part: its file name as the client wrote it, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields, the last one where a name is repeated, and the part named ``file`` if there is one."""

    fields: dict[str, str]
    file: UploadedFile | None = None


def read_form(content_type: str | None, body: bytes) -> Form:
    """The form in ``body``. Fields must be UTF-8. Raises ``UnreadableForm``, which never quotes the form."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        if kind == _URLENCODED:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
            return Form(dict(pairs))
        if kind == _MULTIPART:
            return _read_multipart(content_type or "", body)
    except UnicodeDecodeError as error:
        raise UnreadableForm("a form field is not UTF-8, or not percent-encoded") from error
    except (ValueError, python_multipart.exceptions.FormParserError) as error:
        raise UnreadableForm(f"the body is not {kind}") from error
    if not kind and not body:
        return Form({})
    raise UnreadableForm(f"expected {_URLENCODED} or {_MULTIPART}, got {kind or 'no Content-Type'}")


def _read_multipart(content_type: str, body: bytes) -> Form:
    fields: dict[str, str] = {}
    files: list[UploadedFile] = []

    def on_field(part: Field) -> None:
        fields[_text(part.field_name)] = _text(part.value)

    def on_file(part: File) -> None:
        if part.field_name != b"file":
            raise ValueError("a file must be in the part named file")
        part.file_object.seek(0)
        name = _text(part.file_name).replace("%22", '"')
        files.append(UploadedFile(name, part.file_object.read()))
        part.close()

    headers = {"Content-Type": content_type.encode("latin-1")}
    python_multipart.parse_form(headers, io.BytesIO(body), on_field, on_file)
    return Form(fields, files[-1] if files else None)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8")
