"""The resources of an FCPXML document: formats of pictures, and the files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.media.timecode import nominal
from handlers.turnover.limits import is_ntsc, sounds
from handlers.turnover.model import Media, Picture, Sound, Timeline
from handlers.turnover.xml import element

_SEQUENCE_RATES = {
    32000: "32k",
    44100: "44.1k",
    48000: "48k",
    88200: "88.2k",
    96000: "96k",
    176400: "176.4k",
    192000: "192k",
}
_SILENT = Sound(streams=())
_REEL, _SCENE, _TAKE, _CAMERA = (
    "com.apple.proapps.studio.reel",
    "com.apple.proapps.studio.scene",
    "com.apple.proapps.studio.shot",
    "com.apple.proapps.mio.cameraName",
)


class Resources:
    """Formats and assets, each once, with the ids by which clips refer to them."""

    def __init__(self, timeline: Timeline) -> None:
        self._formats: dict[tuple[Fraction, Picture], str] = {}
        self._assets: dict[Path, str] = {}
        self._media = timeline.media()
        self.sequence_format = self._format(timeline.rate, timeline.picture)
        for media in self._media:
            self.format_of(media)
        first = len(self._formats) + 1
        self._assets = {each.path: f"r{first + n}" for n, each in enumerate(self._media)}

    def asset(self, media: Media) -> str:
        """Return the id of a file."""
        return self._assets[media.path]

    def format_of(self, media: Media) -> str | None:
        """Return the id of a picture's format; a recording has none."""
        return self._format(media.rate, media.picture) if media.picture else None

    def element(self) -> Any:
        """Return all of them as one element."""
        formats = (_format(name, *key) for key, name in self._formats.items())
        return element("resources", *formats, *(self._asset(media) for media in self._media))

    def _format(self, rate: Fraction, picture: Picture) -> str:
        return self._formats.setdefault((rate, picture), f"r{len(self._formats) + 1}")

    def _asset(self, media: Media) -> Any:
        sound = sound_of(media)
        heard: dict[str, object] = {}
        if sound.channels:
            # Channels are those of one source: a stream of the file.
            heard = {
                "hasAudio": 1,
                "audioSources": len(sound.streams),
                "audioChannels": max(sound.streams),
                "audioRate": sound.rate,
            }
        return element(
            "asset",
            element("media-rep", kind="original-media", src=media.first_file.as_uri()),
            _metadata(media),
            id=self.asset(media),
            name=media.name,
            start=seconds(media.begin),
            duration=seconds(media.seconds),
            hasVideo=1 if media.picture else None,
            format=self.format_of(media),
            videoSources=1 if media.picture else None,
            **heard,
        )


def sound_of(media: Media) -> Sound:
    """Return the sound of a file, which may be none."""
    return media.sound or _SILENT


def audio_rate(timeline: Timeline) -> str:
    """Return the sampling rate for a sequence, as the format writes it; 48 kHz where unknown."""
    rates = (sound_of(clip.media).rate for clip in sounds(timeline))
    return _SEQUENCE_RATES.get(next(rates, 48000), "48k")


def seconds(time: Fraction) -> str:
    """Return a time as rational seconds."""
    whole = time.denominator == 1
    return f"{time.numerator}s" if whole else f"{time.numerator}/{time.denominator}s"


def _format(name: str, rate: Fraction, picture: Picture) -> Any:
    aspect = picture.pixel_aspect
    return element(
        "format",
        id=name,
        frameDuration=_frame_duration(rate),
        width=picture.width,
        height=picture.height,
        paspH=aspect.numerator if aspect != 1 else None,
        paspV=aspect.denominator if aspect != 1 else None,
    )


def _frame_duration(rate: Fraction) -> str:
    """Return it as Final Cut writes it: 1001/24000s, 100/2500s."""
    if is_ntsc(rate):
        return f"1001/{nominal(rate) * 1000}s"
    return f"{rate.denominator * 100}/{rate.numerator * 100}s"


def _metadata(media: Media) -> Any:
    logged = media.logged
    said = {_REEL: media.reel, _SCENE: logged.scene, _TAKE: logged.take, _CAMERA: logged.camera}
    listed = [element("md", key=key, value=text) for key, text in said.items() if text]
    return element("metadata", *listed) if listed else None
