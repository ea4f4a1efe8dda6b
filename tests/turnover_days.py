"""Timelines for the tests of turnovers: a day of many clips, with sound recorded apart."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from handlers.media.timecode import parse
from handlers.turnover.model import (
    Clip,
    Colour,
    Gap,
    Kind,
    Logged,
    Marker,
    Media,
    Picture,
    Sound,
    Timeline,
    Track,
)
from handlers.turnover.synced import lay

COUNTINGS = {
    "23.976": (Fraction(24000, 1001), "13:25:10:05"),
    "24": (Fraction(24), "13:25:10:05"),
    "25": (Fraction(25), "13:25:10:05"),
    "29.97 NDF": (Fraction(30000, 1001), "13:25:10:05"),
    "29.97 DF": (Fraction(30000, 1001), "13:25:10;05"),
    "30": (Fraction(30), "13:25:10:05"),
    "47.952": (Fraction(48000, 1001), "13:25:10:05"),
    "48": (Fraction(48), "13:25:10:05"),
    "50": (Fraction(50), "13:25:10:05"),
    "59.94 NDF": (Fraction(60000, 1001), "13:25:10:05"),
    "59.94 DF": (Fraction(60000, 1001), "13:25:10;05"),
    "60": (Fraction(60), "13:25:10:05"),
}
HD = Picture(width=1920, height=1080)
CLIPS = 12


def camera(rate, start, number=1, frames=20000, **changes):
    """A camera clip with two channels of sound."""
    name = f"A{number:03d}_C{number:03d}_1127AB.mov"
    facts = {
        "path": Path("/storage/dailies") / name,
        "name": name,
        "start": parse(start, rate),
        "frames": frames,
        "reel": f"A{number:03d}",
        "picture": HD,
        "sound": Sound(streams=(2,)),
        "logged": Logged(
            scene="12A", take=str(number), circled=number % 2 == 0, notes="soft, again",
            camera="A", sound_files=(f"ROLL{number}.wav",), columns={"Lens": "32 mm"},
        ),
    }  # fmt: skip
    return Media(**{**facts, **changes})


def recording(rate, number=1, channels=3, start_sample=2_318_400_123, samples=48000 * 600):
    """A recording whose first sample lies between two frames."""
    name = f"ROLL{number}.wav"
    frames_in = Fraction(start_sample, 48000) * rate
    start = parse("00:00:00:00", rate) + int(frames_in)
    sound = Sound(streams=(channels,), start_sample=start_sample, samples=samples)
    frames = int(Fraction(samples, 48000) * rate)
    return Media(
        path=Path("/storage/audio") / name, name=name, start=start, frames=frames,
        reel=f"SR{number:03d}", sound=sound,
    )  # fmt: skip


def markers(begin, frames):
    """A point, and a range with keywords."""
    return (
        Marker(frame=begin + 3, name="clap", comment="slate 12A/3", colour=Colour.GREEN),
        Marker(frame=begin + 5, name="usable", frames=frames - 9, keywords=("select", "best"),
               colour=Colour.RED),
    )  # fmt: skip


def long_day(rate, start, count=CLIPS, minutes=95):
    """Return a day of more than ``minutes``: clips that follow each other, one gap, synced sound.

    Its clips begin at odd frames and have odd lengths, so that a rounding anywhere adds up.
    """
    frames = int(minutes * 60 * rate) // count + 1
    pictures, own, synced = [], [], []
    for number in range(1, count + 1):
        media = camera(rate, start, number, frames=frames + 101)
        first, take = 17 * number % 90, frames + number % 7
        clip = Clip(
            media=media, start=Fraction(first), frames=take, link=number,
            markers=markers(first, take) if number % 8 == 1 else (),
        )  # fmt: skip
        pictures.append(clip)
        own.append(replace(clip, channels=(1, 2), role="scratch", markers=()))
        offset = Fraction(48000 * 20) + Fraction(1234567 * number, 1000)
        synced += lay(recording(rate, number), offset, clip, role="dialogue.boom", link=number)
        if number == count // 2:
            for items in (pictures, own, synced):
                items.append(Gap(frames=33))
    return Timeline(
        name="Day 1",
        start=parse(start, rate),
        picture=HD,
        tracks=(
            Track(kind=Kind.VIDEO, name="V1", items=tuple(pictures)),
            Track(kind=Kind.AUDIO, name="A1", items=tuple(own)),
            Track(kind=Kind.AUDIO, name="A2", items=tuple(synced)),
        ),
        markers=(Marker(frame=frames + 40, name="lunch", colour=Colour.YELLOW),),
    )
