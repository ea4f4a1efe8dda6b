"""What a recording says of itself in one place and otherwise in another, in sentences."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from handlers.media import bwf, chunks
from handlers.media.source import shown, shown_text
from handlers.sound.bext import FIXED
from handlers.sound.form import Header, read_fmt

_LARGEST = 1 << 20
_HISTORY = re.compile(rb"\bF=(\d{4,6})\b")
_HISTORY_BITS = re.compile(rb"\bW=(\d{1,2})\b")
_BOTH = ("SCENE", "TAKE", "TAPE")


def contradictions(path: Path) -> tuple[str, ...]:
    """Compare what bext, iXML, fmt, fact, ds64 and the name of a WAV say of the same things.

    Of time reference, sample rate, bit depth, length, count and names of tracks, scene, take,
    tape and file name; and whether the iXML can be read at all. Nothing of a file that is no WAV.

    Raises:
        OSError: It cannot be read from the storage.
    """
    found, layout = bwf.read(path), chunks.read(path)
    if found is None or layout is None:
        return ()
    with path.open("rb") as file:
        bodies = {
            name: chunks.body(file, layout.find(name), _LARGEST)
            for name in (b"fmt ", b"bext", b"iXML", b"fact")
        }
    told = [note for note in found.notes if "contradicts" in note or bwf.UNREAD in note]
    more = _sentences(path, found, layout, bodies)
    return (*told, *(f"{shown(path)} contradicts itself: {sentence}." for sentence in more))


def _sentences(
    path: Path,
    found: bwf.Recording,
    layout: chunks.Layout,
    bodies: dict[bytes, bytes],
) -> Iterator[str]:
    header = read_fmt(bodies[b"fmt "])
    if header is None:
        return
    yield from _of_header(bodies[b"fmt "], header)
    yield from _of_lengths(layout, bodies[b"fact"], found.samples)
    yield from _of_ixml(found.words, header)
    yield from _of_tracks(found, header.channels)
    yield from _of_history(bodies[b"bext"], header)
    yield from _of_words(path, bodies)


def _of_header(body: bytes, header: Header) -> Iterator[str]:
    said, byte_rate = struct.unpack_from("<H", body, 12)[0], header.byte_rate
    if header.format is None:
        return
    if said != header.block:
        yield (
            f"its header gives a block of {said} bytes, and {header.channels} channels of "
            f"{header.bits} bits take {header.block}"
        )
    elif byte_rate != header.rate * header.block:
        yield (
            f"its header says {byte_rate:,} bytes a second, and {header.rate:,} Hz take "
            f"{header.rate * header.block:,}"
        )


def _of_lengths(layout: chunks.Layout, fact: bytes, samples: int) -> Iterator[str]:
    data = layout.data
    if data is not None and data.declared not in {data.size, chunks.UNKNOWN}:
        yield f"its header says {data.declared:,} bytes of sound, and {data.size:,} are there"
    if layout.ds64 is not None and layout.ds64.samples not in {0, samples}:
        yield f"its ds64 chunk says {layout.ds64.samples:,} samples, and {samples:,} are there"
    if len(fact) >= 4:
        said = struct.unpack_from("<I", fact)[0]
        if said not in {0, chunks.UNKNOWN, samples} and samples <= chunks.UNKNOWN:
            yield f"its fact chunk says {said:,} samples, and {samples:,} are there"


def _of_ixml(words: dict[str, str], header: Header) -> Iterator[str]:
    stamped = bwf.whole(words.get("TIMESTAMP_SAMPLE_RATE", ""))
    filed = bwf.whole(words.get("FILE_SAMPLE_RATE", ""))
    if stamped not in {None, header.rate} and filed != header.rate:
        yield (
            f"its iXML counts timecode in {stamped:,} samples a second, and it has "
            f"{header.rate:,} Hz"
        )
    depth = bwf.whole(words.get("AUDIO_BIT_DEPTH", ""))
    if depth not in {None, header.bits}:
        yield f"its iXML says {depth} bits, and it has {header.bits}"


def _of_tracks(found: bwf.Recording, channels: int) -> Iterator[str]:
    places = [track.channel for track in found.tracks]
    if places and len(places) != channels:
        yield f"its iXML lists {len(places)} tracks, and it has {channels} channels"
    beyond = sorted({place for place in places if not 1 <= place <= channels})
    if beyond:
        yield f"its iXML names a track of channel {beyond[0]}, and it has {channels}"
    twice = sorted({place for place in places if places.count(place) > 1})
    if twice:
        yield f"its iXML names channel {twice[0]} twice"


def _of_history(body: bytes, header: Header) -> Iterator[str]:
    """Look at the last line that gives numbers: earlier ones are of what it was made of."""
    history = body[FIXED:].partition(b"\0")[0]
    rates, bits = _HISTORY.findall(history), _HISTORY_BITS.findall(history)
    if rates and int(rates[-1]) != header.rate:
        yield f"its coding history ends with {int(rates[-1]):,} Hz, and it has {header.rate:,} Hz"
    if bits and int(bits[-1]) not in {header.bits, 0}:
        yield f"its coding history ends with {int(bits[-1])} bits, and it has {header.bits}"


def _of_words(path: Path, bodies: dict[bytes, bytes]) -> Iterator[str]:
    """Compare what bext's description and iXML say, each read without the other."""
    own = bwf.read_bodies(path, {b"bext": bodies[b"bext"]}, 0, 0).words
    other = bwf.read_bodies(path, {b"iXML": bodies[b"iXML"]}, 0, 0)
    for word in _BOTH:
        if own.get(word) and other.words.get(word) and own[word] != other.words[word]:
            yield f"bext says {word} {own[word]} and iXML {other.words[word]}"
    for track in other.tracks:
        name = own.get(f"TRK{track.channel}", "")
        if name and track.name and name != track.name:
            yield f"bext calls track {track.channel} {name} and iXML {track.name}"
    filed = own.get("FILENAME", "")
    if filed and shown_text(filed).rpartition(".")[0].casefold() != _stem(path):
        yield f"its recorder called it {filed}"


def _stem(path: Path) -> str:
    return shown(path).rpartition(".")[0].casefold()
