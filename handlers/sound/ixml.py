"""The iXML chunk of new sound: its identity and history, with every other byte as it was.

The text is never written anew: elements are found by their place in it and replaced there
(iXML 3.0, objects FILE_UID, HISTORY, BEXT and LOUDNESS).
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape

from handlers.media.timecode import Timecode
from handlers.sound.bext import Edited, Process, continued

_LARGEST = 16 << 20
_PADDING = b"\0 \t\r\n"
_DEEPEST = 64
_LOUDNESS_OF_BEXT = (
    "BWF_LOUDNESS_VALUE", "BWF_LOUDNESS_RANGE", "BWF_MAX_TRUE_PEAK_LEVEL",
    "BWF_MAX_MOMENTARY_LOUDNESS", "BWF_MAX_SHORT_TERM_LOUDNESS",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Element:
    """Where an element lies: its tags from ``start`` to ``end``, between them what is in it.

    It ``is_short`` where it is a single tag, as in <NOTE/>.
    """

    start: int
    inner: int
    is_short: bool
    close: int = 0
    end: int = 0


class _Damaged(Exception):
    """The text is no XML, or has what iXML has not."""


def renew(body: bytes, source: str, line: str, process: Process) -> Edited:
    """Give an iXML to new sound.

    FILE_UID is new and the old one PARENT_UID in HISTORY; PARENT_FILENAME is the source, which
    is ORIGINAL_FILENAME too where none is named; BEXT follows the bext chunk; loudness is dropped.
    Damaged text is left as it is.

    Args:
        body: The chunk.
        source: The source's file name.
        line: The new line of coding history.
        process: What made the new sound.
    """
    codec = _utf16(body)
    text = body.decode(codec).encode() if codec else body
    told = text.rstrip(_PADDING)
    try:
        edit = _Edit(told, process)
        edit.identity(source)
        edit.bext(line)
        edit.loudness()
    except _Damaged:
        return Edited(body=body)
    made = edit.applied() + text[len(told) :]
    if not codec:
        # Zeros behind the text are room for it to grow.
        spare = len(body) - len(body.rstrip(b"\0"))
        made = made.rstrip(b"\0").ljust(len(body), b"\0") if spare else made
    else:
        made = made.decode().encode(codec)
    return Edited(body=made, changed=tuple(edit.changed), dropped=tuple(edit.dropped))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of sound whose source had no iXML; ``start`` is in samples since midnight."""

    rate: int
    start: int | None = None
    timecode: Timecode | None = None
    tape: str = ""
    note: str = ""


def make(facts: Facts, names: tuple[str, ...], process: Process) -> bytes:
    """Return an iXML that says what is known, ``names`` being those of the tracks."""
    said = {"TAPE": facts.tape, "NOTE": facts.note}
    words = "".join(_element(name, text) for name, text in said.items() if text)
    tracks = "".join(_track(place, name) for place, name in enumerate(names, 1))
    counted = _element("TRACK_COUNT", len(names))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<BWFXML><IXML_VERSION>2.10</IXML_VERSION>'
        f"{_element('FILE_UID', process.file_uid)}{words}<SPEED>{_speed(facts)}</SPEED>"
        f"{f'<TRACK_LIST>{counted}{tracks}</TRACK_LIST>' if names else ''}</BWFXML>\n"
    ).encode()


def _speed(facts: Facts) -> str:
    said: dict[str, object] = {"FILE_SAMPLE_RATE": facts.rate}
    if facts.timecode is not None:
        rate = facts.timecode.rate
        said["TIMECODE_RATE"] = f"{rate.numerator}/{rate.denominator}"
        said["TIMECODE_FLAG"] = "DF" if facts.timecode.drop_frame else "NDF"
    if facts.start is not None:
        said["TIMESTAMP_SAMPLE_RATE"] = facts.rate
        said["TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI"] = facts.start >> 32
        said["TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"] = facts.start & 0xFFFFFFFF
    return "".join(_element(name, text) for name, text in said.items())


def _track(place: int, name: str) -> str:
    places = _element("CHANNEL_INDEX", place) + _element("INTERLEAVE_INDEX", place)
    return f"<TRACK>{places}{_element('NAME', name)}</TRACK>"


def _element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


def _utf16(body: bytes) -> str:
    """Return the codec of a text in UTF-16, whose every byte comes back from it, or ""."""
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if body.startswith(mark):
            try:
                return codec if body.decode(codec).encode(codec) == body else ""
            except UnicodeError:
                return ""
    return ""


class _Edit:
    """Replacements in one text."""

    def __init__(self, text: bytes, process: Process) -> None:
        self._text, self._process = text, process
        self._found = _elements(text)
        self._changes: list[tuple[int, int, bytes]] = []
        self.changed: list[str] = []
        self.dropped: list[str] = []

    def identity(self, source: str) -> None:
        """Renew FILE_UID and say in HISTORY what the sound was made of."""
        history = {"PARENT_FILENAME": _bytes(source)}
        if not self._value(("HISTORY", "ORIGINAL_FILENAME")):
            history["ORIGINAL_FILENAME"] = _bytes(source)
        if ("FILE_UID",) in self._found:
            old = self._value(("FILE_UID",))
            history |= {"PARENT_UID": old} if old else {}
            self._set(("FILE_UID",), self._process.file_uid.encode())
        missing = b""
        for name in sorted(history):
            if not self._set(("HISTORY", name), history[name]):
                missing += _tagged(name, history[name])
        if missing:
            self._add("HISTORY", missing)

    def bext(self, line: str) -> None:
        """Bring the copy of the bext chunk in line with that."""
        if self._value(("BEXT", "BWF_UMID")).strip(b"0"):
            self._set(("BEXT", "BWF_UMID"), self._process.umid.hex().upper().encode())
        if ("BEXT", "BWF_CODING_HISTORY") in self._found:
            old = self._value(("BEXT", "BWF_CODING_HISTORY"))
            added = _bytes(continued(b"", line).decode())
            joint = b"" if not old or old.endswith(b"\n") else b"\r\n"
            self._set(("BEXT", "BWF_CODING_HISTORY"), old + joint + added)

    def loudness(self) -> None:
        """Drop what was measured of the old sound."""
        for path in (("LOUDNESS",), *(("BEXT", name) for name in _LOUDNESS_OF_BEXT)):
            found = self._found.get(path)
            if found is not None:
                self._changes.append((found.start, found.end, b""))
                self.dropped.append("/".join(path))

    def applied(self) -> bytes:
        """Return the text with all replacements."""
        made = self._text
        for start, end, new in sorted(self._changes, reverse=True):
            made = made[:start] + new + made[end:]
        return made

    def _value(self, path: tuple[str, ...]) -> bytes:
        found = self._found.get(path)
        return b"" if found is None else self._text[found.inner : found.close].strip()

    def _set(self, path: tuple[str, ...], value: bytes) -> bool:
        found = self._found.get(path)
        if found is None:
            return False
        if found.is_short:
            self._changes.append((found.start, found.end, _tagged(path[-1], value)))
        else:
            self._changes.append((found.inner, found.close, value))
        self.changed.append("/".join(path))
        return True

    def _add(self, name: str, inside: bytes) -> None:
        """Put elements at the end of an object, which is made where there is none."""
        found = self._found.get((name,))
        if found is None:
            place = self._found[()].close
            self._changes.append((place, place, _tagged(name, inside)))
        elif found.is_short:
            self._changes.append((found.start, found.end, _tagged(name, inside)))
        else:
            self._changes.append((found.close, found.close, inside))
        self.changed.append(name)


def _bytes(text: str) -> bytes:
    """Write a text in ASCII, whatever the encoding around it."""
    return escape(text).encode("ascii", "xmlcharrefreplace")


def _tagged(name: str, inside: bytes) -> bytes:
    tag = name.encode()
    return b"<" + tag + b">" + inside + b"</" + tag + b">"


def _elements(text: bytes) -> dict[tuple[str, ...], _Element]:
    """Find the elements below the root, and the first of each name below those.

    Raises:
        _Damaged: It is no XML.
    """
    if len(text) > _LARGEST:
        raise _Damaged
    finder = _Finder(text)
    try:
        finder.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise _Damaged from error
    if not finder.found or finder.found[()].is_short:
        raise _Damaged
    return finder.found


class _Finder:
    """Notes where elements lie; bytes are taken as they are, whatever encoding they say."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._path: list[str] = []
        self._open: list[_Element | None] = []
        self.found: dict[tuple[str, ...], _Element] = {}
        self.parser = expat.ParserCreate("iso-8859-1")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise _Damaged

    def _start(self, name: str, _: object) -> None:
        place = self.parser.CurrentByteIndex
        if len(self._open) >= _DEEPEST:
            raise _Damaged
        if self._open:
            self._path.append(name)
        key = tuple(self._path)
        inner = self._after_tag(place)
        is_short = self._text[inner - 2 : inner] == b"/>"
        element = _Element(start=place, inner=inner, is_short=is_short)
        is_new = len(key) <= 2 and key not in self.found
        if is_new:
            self.found[key] = element
        self._open.append(element if is_new else None)

    def _end(self, _: str) -> None:
        place = self.parser.CurrentByteIndex
        element = self._open.pop()
        if self._path:
            self._path.pop()
        if element is not None and element.is_short:
            element.close = element.end = element.inner
        elif element is not None:
            element.close, element.end = place, self._after_tag(place)

    def _after_tag(self, place: int) -> int:
        """Return the place behind a tag; ">" may stand in the value of an attribute."""
        quote = 0
        for at in range(place, len(self._text)):
            char = self._text[at]
            if quote:
                quote = 0 if char == quote else quote
            elif char in b"\"'":
                quote = char
            elif char == ord(">"):
                return at + 1
        raise _Damaged
