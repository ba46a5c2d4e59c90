from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import DataError, MediaTypeError, TooLargeError
from sedna.common.inflate import Inflater


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


WAYS = {"gzip": ("gzip", gzip.compress), "zlib": ("deflate", zlib.compress), "raw": ("Deflate", raw_deflate)}


@given(st.binary(max_size=3000), st.sampled_from(sorted(WAYS)), st.integers(2, 500))
def test_what_was_compressed_comes_back_however_it_is_cut(data: bytes, way: str, step: int) -> None:
    encoding, compress = WAYS[way]
    sent = compress(data)
    inflater = Inflater(encoding, limit=len(data))
    made = b"".join(inflater.feed(sent[at : at + step]) for at in range(0, len(sent), step))
    inflater.finish()
    assert made == data


def test_members_of_a_gzip_file_follow_each_other() -> None:
    inflater = Inflater("gzip", 100)
    assert inflater.feed(gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"
    inflater.finish()


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_bomb_ends_at_the_limit(way: str) -> None:
    encoding, compress = WAYS[way]
    sent = compress(bytes(50 << 20))
    with pytest.raises(TooLargeError, match="at most 1000000 bytes"):
        Inflater(encoding, 1_000_000).feed(sent)
    exact = Inflater(encoding, 50 << 20)
    assert len(exact.feed(sent)) == 50 << 20
    exact.finish()


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_body_that_ends_in_its_middle_is_told(way: str) -> None:
    encoding, compress = WAYS[way]
    inflater = Inflater(encoding, 10_000)
    inflater.feed(compress(bytes(range(256)) * 20)[:-6])
    with pytest.raises(DataError, match="ends in its middle"):
        inflater.finish()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "sent",
    [b"{}", b"\xff" * 50, gzip.compress(b"x" * 99, mtime=0)[:12] + b"\xff" * 40],
    ids=["plain", "noise", "torn"],
)
def test_what_is_no_such_stream_is_told(encoding: str, sent: bytes) -> None:
    with pytest.raises(DataError):
        inflated(encoding, sent)


def inflated(encoding: str, sent: bytes) -> bytes:
    inflater = Inflater(encoding, 10_000)
    made = inflater.feed(sent)
    inflater.finish()
    return made


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", ""])
def test_other_encodings_are_named(encoding: str) -> None:
    with pytest.raises(MediaTypeError, match="gzip or deflate"):
        Inflater(encoding, 10)
