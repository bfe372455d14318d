"""Foreign bytes are unpacked up to a size, by kombu too."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib

import pytest
from kombu import Connection, compression
from kombu.message import Message

from worker.store.queues.decompression import MOST_BYTES, NotUnpacked, bound, unpack

SPOILT = {
    "cut off": lambda data: data[:-3],
    "followed by more": lambda data: data + b"more",
    "not packed": lambda _: b"SECRET",
    "nothing": lambda _: b"",
}
KINDS = {"zlib": zlib.compress, "bzip2": bz2.compress, "lzma": lzma.compress}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 70_000, MOST_BYTES])
def test_what_kombu_packs_is_unpacked(kind, size):
    data = os.urandom(min(size, 70_000)).ljust(size)
    packed, content_type = compression.compress(data, kind)
    assert unpack(packed, content_type) == data
    assert unpack(packed, kind) == data


def test_gzip_of_other_languages_is_unpacked():
    assert unpack(gzip.compress(b"words"), "gzip") == b"words"


def test_what_the_strongest_preset_packs_is_unpacked():
    assert unpack(lzma.compress(b"words", preset=9), "lzma") == b"words"


@pytest.mark.parametrize("kind", KINDS)
def test_one_byte_too_many_is_refused(kind):
    with pytest.raises(NotUnpacked, match=f"more than {MOST_BYTES} bytes"):
        unpack(KINDS[kind](bytes(MOST_BYTES + 1)), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoil", SPOILT)
def test_what_cannot_be_unpacked_is_refused_without_its_content(kind, spoil):
    with pytest.raises(NotUnpacked) as caught:
        unpack(SPOILT[spoil](KINDS[kind](b"words")), kind)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("kind", ["application/x-brotli", "SECRET", 7, [], {}])
def test_another_compression_is_refused(kind):
    with pytest.raises(NotUnpacked, match="is not known here"):
        unpack(b"", kind)


def test_kombu_itself_unpacks_no_bomb():
    bound()
    packed, content_type = compression.compress(bytes(MOST_BYTES + 1), "zlib")
    message = Message(packed, headers={"compression": content_type})
    assert message.body == packed
    assert issubclass(message.errors[0][0], NotUnpacked)


def test_a_decoder_without_a_bound_is_taken_away():
    compression.register(lambda data: data, lambda data: data * 1000, "application/x-new")
    with pytest.raises(NotUnpacked, match="is not known here"):
        unpack(b"words", "application/x-new")


def test_kombu_still_sends_and_receives():
    bound()
    with Connection("memory://") as connection, connection.SimpleQueue("packed") as queue:
        queue.put({"a": 1}, serializer="json", compression="bzip2")
        assert queue.get(timeout=1).payload == {"a": 1}
