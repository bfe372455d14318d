"""What a file is by its bytes, and what a picture may be called. Pure: no table of the machine is asked.

The bytes decide the type. A name, a declared type and a link come from strangers: they say at most whether a file is
worth a look, and how people call it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum, auto
from urllib.parse import unquote, urlsplit

# The first extension of a type is the one that a name gets.
_EXTENSIONS = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp"),
    "image/png": ("png", "apng"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/bmp": ("bmp", "dib"),
    "image/heic": ("heic", "heics", "heif", "heifs", "hif"),
    "image/avif": ("avif", "avifs"),
    "image/tiff": ("tiff", "tif"),
    "image/svg+xml": ("svg",),
}
_TYPES = {extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions}

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})

_PICTURE_WORDS = frozenset({"image", "picture", "photo", "img", "sticker"})
_OTHER_MEDIA = re.compile(r"(audio|video|voice|text|font|model|message|multipart)([^a-z].*)?|location|contact|poll")
# Types that say no more than "bytes".
_ANY_BYTES = re.compile(r"application/(x-)?(octet-?stream|binary|unknown|download|force-download|file|\*)")

_UNUSABLE = re.compile(r'[<>:"|?*\\/]+')
_FILE_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")
# In bytes of UTF-8: file systems take 255 for a name.
_LONGEST_STEM = 160
_LONGEST_UPLOAD_STEM = 64


class Chance(Enum):
    """How likely a file is a picture, before anything of it is fetched.

    ``SMALL``: its type says nothing, and its name belongs to another kind of file.
    """

    NONE = auto()
    SMALL = auto()
    GOOD = auto()


def image_type(data: bytes) -> str | None:
    """The MIME type of a picture by its first bytes: JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF; None for all else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "image/tiff"
    # "BM" alone also begins ordinary text, so the size of the header that follows has to be a real one.
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "image/bmp"
    return _media_container_type(data)


def type_of_name(name: str) -> str | None:
    """The MIME type of a picture that a name's extension stands for; None if it stands for no picture."""
    return _TYPES.get(name.rpartition(".")[2].lower()) if "." in name else None


def upload_name(name: str, kind: str) -> str:
    """A name for a picture of type ``kind``, in letters that no server reads as anything else.

    ``name``: what a stranger calls it, also with a path, percent-encoded or with another extension.
    """
    plain = _last_part(_decoded(name))
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", plain.rpartition(".")[0] or plain).strip("-")[:_LONGEST_UPLOAD_STEM]
    return f"{stem or 'image'}.{_EXTENSIONS[kind][0]}"


def name_and_type_of_link(url: str) -> tuple[str, str]:
    """How to show a picture of which only the link is known: its name as people write it, and the MIME type that the
    name stands for. JPEG if it stands for none; then the name gets that extension."""
    name = _readable(_path_of(url))
    kind = type_of_name(name)
    if kind is None:
        kind, name = "image/jpeg", f"{_FILE_EXTENSION.sub('', name)}.jpg"
    stem, _, extension = name.rpartition(".")
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore").strip(" .")
    return f"{stem or 'photo'}.{extension}", kind


def chance(declared: Iterable[object], name: object, link: str) -> Chance:
    """How likely a file is a picture by what is said of it.

    ``declared``: its types as its sender gave them. ``name``: what its sender calls it. Values of any kind are taken;
    what is no text says nothing. ``link``: where it is.
    """
    types = [each.partition(";")[0].strip().casefold() for each in declared if isinstance(each, str)]
    called = _decoded(name.strip()) if isinstance(name, str) else ""
    at = _decoded(_path_of(link))
    if any(map(_says_picture, types)) or type_of_name(called) or type_of_name(at):
        return Chance.GOOD
    if any(map(_says_otherwise, types)):
        return Chance.NONE
    return Chance.SMALL if _FILE_EXTENSION.search(called or at) else Chance.GOOD


def _says_picture(declared: str) -> bool:
    main, _, exact = declared.rpartition("/")
    return (main or exact) in _PICTURE_WORDS or exact.removeprefix("x-") in _TYPES


def _says_otherwise(declared: str) -> bool:
    if _OTHER_MEDIA.fullmatch(declared):
        return True
    return declared.startswith("application/") and not _ANY_BYTES.fullmatch(declared)


def _media_container_type(data: bytes) -> str | None:
    size = int.from_bytes(data[:4], "big")
    if data[4:8] != b"ftyp" or not 16 <= size <= 256:
        return None
    box = data[:size]
    brands = {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
    if brands & _AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if box[8:12] in _HEIC_BRANDS else None


def _path_of(link: str) -> str:
    try:
        return urlsplit(link).path
    except ValueError:  # half an IPv6 address
        return ""


def _decoded(name: str) -> str:
    # Twice: some platforms encode what was encoded.
    return unquote(unquote(name))


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _readable(path: str) -> str:
    """A name without folders, controls of any kind and signs that file systems refuse."""
    name = unicodedata.normalize("NFC", _last_part(_decoded(path)))
    shown = "".join(" " if letter.isspace() else letter for letter in name if letter.isspace() or _is_shown(letter))
    return " ".join(_UNUSABLE.sub(" ", shown).split()).rstrip(" .")


def _is_shown(letter: str) -> bool:
    # Controls, marks of direction, halves of emoji, private and unassigned ones; and what stands for a broken byte.
    return unicodedata.category(letter)[0] != "C" and letter != "\ufffd"
