"""Takes as a set delivers them, made from real footage and real speech, with the truth about them.

A virtual camera looks at footage with hands that shake a little. A slate enters, its sticks
close, it leaves; somebody speaks; the camera drops. The sound has the clap in a room, the call
for action, the lines, what else makes noise. ``make_day`` makes a small day of two set-ups, with
the recordings of a sound recorder that runs at its own speed.
"""

import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from handlers.media.timecode import Timecode
from tests import foley
from tests.foley import RATE as SOUND
from tests.media import default_folder, fetch

WIDTH, HEIGHT = 480, 270
_TRAVEL = HEIGHT + 40  # pixels that a slate moves on its way in and out
# Footage without a cut in it: file, first frame, end; and which part is looked at: x, y, width.
SETUPS = {
    "12A": ("bikes.mp4", 76, 137, (0.30, 0.02, 0.62)),
    "12B": ("bikes.mp4", 76, 137, (0.52, 0.05, 0.40)),
    "14": ("bikes.mp4", 187, 242, (0.05, 0.00, 0.72)),
    "14A": ("bikes.mp4", 187, 242, (0.45, 0.20, 0.40)),
    "21": ("bigbuckbunny.mp4", 0, 132, (0.00, 0.00, 1.00)),
    "21A": ("bigbuckbunny.mp4", 0, 132, (0.02, 0.15, 0.48)),
    "33": ("bikes.mp4", 137, 187, (0.20, 0.00, 0.70)),
    "40": ("bikes.mp4", 30, 76, (0.10, 0.00, 0.75)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSpec:
    """What to make. Times are in seconds; ``extra`` names sounds of ``foley.NEGATIVES``."""

    scene: str = "12A"
    take: int = 1
    rate: Fraction = Fraction(25)
    slate: str = "head"  # head, tail, hand or none
    second_sticks: bool = False
    action: float = 6.0
    extra: tuple[str, ...] = ()
    speech: bool = True
    snr: float = 20.0  # of the camera's own sound, in dB
    drop: bool = True
    trouble: str = ""  # soft, shaken, bright or black, for a second in the middle
    language: str = "fr"
    lines: int | None = None  # which stretch of the voice is spoken; None takes any
    start: int | None = None  # start timecode, in whole seconds of it after midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeTruth:
    """What was made. Frames of the edit rate, end exclusive; ``clap`` is the first closed frame."""

    name: str
    spec: TakeSpec
    frames: int
    clap: int | None
    clap_seconds: float | None
    slate: tuple[int, int] | None
    start: int
    end: int
    trouble: tuple[int, int] | None
    start_timecode: Timecode
    sound: np.ndarray = field(repr=False, compare=False)  # dry, at SOUND, from frame 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingTruth:
    """A recorder's file; ``offset`` is its sample at the clip's frame 0, None for a wild track."""

    name: str
    clip: str | None
    offset: float | None
    drift_ppm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A day: its folder, with ``dailies`` and ``audio`` in it, and all that is true about it."""

    folder: Path
    takes: tuple[TakeTruth, ...]
    recordings: tuple[RecordingTruth, ...]


class _Plan:
    """When things happen in a take, in seconds."""

    def __init__(self, spec, rng):
        rate = float(spec.rate)
        begin = rng.uniform(0.4, 1.2)
        self.place = rng.uniform(0.12, 0.45) * WIDTH, rng.uniform(0.25, 0.4) * HEIGHT
        self.drop = rng.uniform(0.7, 1.4) if spec.drop else 0.0
        if spec.slate in {"head", "hand"}:
            self.enter, self.clap = begin, begin + rng.uniform(1.3, 2.2)
            claps = [self.clap]
            if spec.second_sticks:
                claps.append(self.clap + rng.uniform(1.2, 2.0))
                self.clap = claps[-1]
            self.leave = self.clap + rng.uniform(0.35, 0.8)
            self.gone = self.leave + rng.uniform(0.3, 0.5)
            self.start, self.end = self.gone, self.gone + spec.action
            self.total = self.end + self.drop
        elif spec.slate == "tail":
            self.start, self.end = 0.0, begin + spec.action
            self.enter, self.clap = self.end, self.end + rng.uniform(1.3, 2.2)
            claps = [self.clap]
            self.leave, self.gone = self.clap + 0.5, self.clap + 0.9
            self.total = self.gone + self.drop
        else:
            self.start, self.end = 0.0, begin + spec.action
            self.enter = self.clap = self.leave = self.gone = None
            claps = []
            self.total = self.end + self.drop
        self.claps = claps
        self.frames = round(self.total * rate)
        self.action = (self.start, self.end)
        self._look()

    def _look(self):
        """Take the time in which the slate is on its way, but out of the picture, off."""
        if self.enter is None:
            return
        hidden = 1 - (HEIGHT - self.place[1] + 24) / _TRAVEL
        out = self.gone - hidden * (self.gone - self.leave)
        if self.start:
            self.start = out
        else:
            self.end += 0.35 * (1 - (HEIGHT - self.place[1] + 90) / _TRAVEL)
        self.seen = self.enter, out


def make_take(path, spec, seed):
    """Write a take as H.264 with 48 kHz sound and timecode; return the truth about it."""
    rng = np.random.default_rng(seed)
    plan = _Plan(spec, rng)
    rate = float(spec.rate)
    # A shutter of 180 degrees: a frame shows what is the case in the middle of its exposure.
    clap = None if plan.clap is None else int(np.ceil(plan.clap * rate - 0.25))
    trouble = _trouble(plan, spec)
    dry = _sound(plan, spec, rng)
    hour = int(rng.integers(9, 17))
    second = hour * 3600 if spec.start is None else spec.start
    start = Timecode(frames=second * round(rate), rate=spec.rate)
    heard = _camera_sound(dry, spec, rng)
    _write(path, spec, heard, start, _pictures(plan, spec, trouble, rng))
    slate = None
    if plan.enter is not None and spec.slate != "hand":
        slate = int(plan.seen[0] * rate), int(np.ceil(plan.seen[1] * rate))
    return TakeTruth(
        name=path.name,
        spec=spec,
        frames=plan.frames,
        clap=clap,
        clap_seconds=plan.clap,
        slate=slate,
        start=int(np.ceil(plan.start * rate)),
        end=int(plan.end * rate) if plan.drop or spec.slate == "tail" else plan.frames,
        trouble=trouble,
        start_timecode=start,
        sound=dry,
    )


def make_day(folder, seed=1, *, action=6.0):
    """Make a day of seven clips of two set-ups and their recordings.

    Names carry scene and take. One slate is at the tail, one take has second sticks, one clip
    has no recording, one recording (a wild track) no clip. The recorder's clock drifts, and was
    set by the camera's for the first set-up only.

    Args:
        folder: Where ``dailies`` and ``audio`` are made.
        seed: Another one makes another day.
        action: Seconds of action in each take.
    """
    rng = np.random.default_rng(seed)
    for name in ("dailies", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    plans = [
        TakeSpec(scene="12A", take=1, action=action, extra=("footsteps",)),
        TakeSpec(scene="12A", take=2, action=action, second_sticks=True),
        TakeSpec(scene="12A", take=3, action=action, trouble="soft"),
        TakeSpec(scene="21", take=1, action=action, extra=("door",)),
        TakeSpec(scene="21", take=2, action=action, slate="tail"),
        TakeSpec(scene="21", take=3, action=action, trouble="shaken", snr=10),
        TakeSpec(scene="21", take=4, action=action, slate="none", speech=False, drop=False),
    ]
    takes, recordings = [], []
    clock = 10 * 3600
    drift = float(rng.uniform(-60, 60))
    for number, spec in enumerate(plans):
        path = folder / "dailies" / f"{spec.scene}-{spec.take}.mov"
        clock += int(rng.integers(90, 400))
        takes.append(make_take(path, replace(spec, start=clock, lines=number), seed * 100 + number))
        if spec.slate != "none":
            wav = folder / "audio" / f"{spec.scene}T{spec.take:02d}.wav"
            recordings.append(make_recording(wav, takes[-1], drift, rng, jammed=number < 3))
    wild = np.pad(foley.voice("fr")[-10 * SOUND :], 4800)
    _write_wav(folder / "audio" / "WILD01.wav", wild[None], 0, "", "")
    recordings.append(RecordingTruth(name="WILD01.wav", clip=None, offset=None, drift_ppm=0.0))
    return Truth(folder=folder, takes=tuple(takes), recordings=tuple(recordings))


def make_recording(path, take, drift_ppm, rng, *, jammed=True):
    """Write what a sound recorder made of a take: two channels, 24 bit, bext and iXML.

    It ran before the camera and after it, its clock is off by ``drift_ppm``, each channel (boom
    and radio) has its own room and noise. Sample ``offset + t * 48000 * (1 + drift)`` sounds at
    ``t`` seconds of the clip.
    """
    before, after = rng.uniform(1.0, 4.0), rng.uniform(0.5, 2.0)
    dry = np.pad(take.sound, (int(before * SOUND), int(after * SOUND)))
    speed = 1 + drift_ppm / 1e6
    times = np.arange(int(len(dry) * speed)) / speed
    played = np.interp(times, np.arange(len(dry)), dry)
    channels = []
    for direct in (12.0, 20.0):
        sound = foley.reverberant(played, foley.room(rng, 0.3, direct))
        noise = foley.tone_of_room(rng, len(sound))
        channels.append(rng.uniform(0.4, 0.8) * sound + 10 ** (-58 / 20) * noise)
    offset = int(before * SOUND) * speed
    second = float(take.start_timecode.frames / take.spec.rate)
    reference = round(second * SOUND - offset) if jammed else int(rng.integers(0, SOUND * 600))
    _write_wav(path, np.stack(channels), reference, take.spec.scene, str(take.spec.take))
    return RecordingTruth(name=path.name, clip=take.name, offset=offset, drift_ppm=drift_ppm)


# ---------------------------------------------------------------- picture


@lru_cache(maxsize=16)
def _footage(scene):
    """The frames of a set-up, a little larger than the picture: uint8 [n, h, w, 3]."""
    name, first, end, (x, y, width) = SETUPS[scene]
    with av.open(str(fetch(default_folder()) / name)) as clip:
        whole = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)][first:end]
    high, wide = whole[0].shape[:2]
    across = int(width * wide)
    down = min(int(across * HEIGHT / WIDTH), high)
    left, top = int(x * wide), min(int(y * high), high - down)
    size = WIDTH + 64, HEIGHT + 36
    cut = [frame[top : top + down, left : left + across] for frame in whole]
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in cut])


def _trouble(plan, spec):
    if not spec.trouble:
        return None
    middle, rate = (plan.start + plan.end) / 2, float(spec.rate)
    return round((middle - 0.5) * rate), round((middle + 0.5) * rate)


def _pictures(plan, spec, trouble, rng):
    """Yield each frame of a take, uint8 [270, 480, 3]."""
    footage, rate = _footage(spec.scene), float(spec.rate)
    sway = _sway(rng, plan.frames)
    there_and_back = np.r_[np.arange(len(footage)), np.arange(len(footage) - 2, 0, -1)]
    begin, gain = int(rng.integers(0, len(there_and_back))), rng.uniform(0.9, 1.05)
    for number in range(plan.frames):
        seconds = (number + 0.25) / rate
        dropped = max(0.0, seconds - (plan.total - plan.drop)) if plan.drop else 0.0
        shift = sway[number] + [0, 900 * dropped**2]
        wrong = spec.trouble if trouble and trouble[0] <= number < trouble[1] else ""
        if wrong == "shaken":
            shift = shift + rng.normal(0, 14, 2)
        picture = footage[there_and_back[(begin + number) % len(there_and_back)]]
        picture = _framed(picture, shift)
        if plan.enter is not None and spec.slate != "hand":
            picture = _with_slate(picture, plan, spec, seconds, sway[number])
        picture = _spoilt(picture, wrong, dropped)
        grain = np.roll(_grain(), (int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))), (0, 1))
        noisy = picture * gain + grain
        yield np.clip(noisy, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _grain():
    return np.random.default_rng(5).normal(0, 2.0, (HEIGHT, WIDTH, 1))


def _sway(rng, frames):
    """Where a hand-held camera looks, in pixels: a slow walk."""
    steps = cv2.GaussianBlur(rng.normal(0, 1, (frames + 50, 2)), (1, 0), 0.1, sigmaY=12)
    return (2.5 * steps / steps.std())[25 : 25 + frames]


def _framed(picture, shift):
    high, wide = picture.shape[:2]
    corner = np.array([wide - WIDTH, high - HEIGHT]) / 2 + shift
    move = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]], np.float64)
    return cv2.warpAffine(picture, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


def _spoilt(picture, wrong, dropped):
    if wrong == "soft":
        return cv2.GaussianBlur(picture, (0, 0), 6).astype(np.float64)
    if wrong == "black":
        return picture * 0.02
    if wrong == "bright":
        return picture * 2.6 + 60
    if dropped > 0.05:
        size = max(1, int(60 * dropped))
        picture = cv2.blur(picture, (1, size)) * (1 - 0.35 * min(1, dropped))
    return picture.astype(np.float64)


def _with_slate(picture, plan, spec, seconds, sway):
    if not plan.enter <= seconds <= plan.gone:
        return picture
    come = np.clip((seconds - plan.enter) / 0.35, 0, 1)
    left = np.clip((seconds - plan.leave) / (plan.gone - plan.leave), 0, 1)
    angle = _angle(plan.claps, seconds)
    board = _slate(spec.scene, spec.take, round(angle, 1), spec.slate == "tail")
    away = (1 - come + left) * _TRAVEL
    place = plan.place
    move = np.float64([[1, 0, place[0] - 0.6 * sway[0]], [0, 1, place[1] - 70 + away]])
    drawn = cv2.warpAffine(board, move, (WIDTH, HEIGHT))
    cover = drawn[..., 3:] / 255.0
    return picture * (1 - cover) + drawn[..., :3] * cover


def _angle(claps, seconds):
    """How far the sticks are open, in degrees: they stay open, then close in 0.12 s."""
    ahead = [clap for clap in claps if clap > seconds]
    if not ahead:
        return 0.0
    opened = 28.0
    if len(ahead) < len(claps):
        # Opened again for second sticks.
        opened = 28 * np.clip((seconds - claps[-len(ahead) - 1] - 0.3) / 0.4, 0, 1)
    return float(opened * min(1.0, ((ahead[0] - seconds) / 0.12)) ** 0.8)


@lru_cache(maxsize=256)
def _slate(scene, take, angle, tail):
    """A slate with its sticks open at ``angle``: uint8 [270, 480, 4], board at the top left."""
    made = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    cv2.rectangle(made, (10, 80), (190, 200), (25, 25, 28, 255), -1)
    cv2.rectangle(made, (10, 80), (190, 200), (230, 230, 230, 255), 2)
    for row, text in enumerate((f"SCENE {scene}", f"TAKE {take}", "FXD TEST")):
        where, font = (20, 112 + 36 * row), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(made, text, where, font, 0.8, (240, 240, 240, 255), 2, cv2.LINE_AA)
    _stick(made, 64, 0.0)
    _stick(made, 46, angle)
    return cv2.flip(made[:210, :200], -1) if tail else made


def _stick(made, top, angle):
    bar = np.zeros_like(made)
    cv2.rectangle(bar, (10, top), (190, top + 17), (240, 240, 240, 255), -1)
    for x in range(10, 190, 40):
        corners = np.array([[x, top], [x + 18, top], [x + 8, top + 17], [x - 10, top + 17]])
        cv2.fillPoly(bar, [np.clip(corners, (10, top), (190, top + 17))], (15, 15, 15, 255))
    turn = cv2.getRotationMatrix2D((10, top + 17), angle, 1.0)
    bar = cv2.warpAffine(bar, turn, (made.shape[1], made.shape[0]), flags=cv2.INTER_LINEAR)
    over = bar[..., 3] > 127
    made[over] = bar[over]


# ---------------------------------------------------------------- sound


def _sound(plan, spec, rng):
    """What is heard on the set, dry, from frame 0."""
    made = np.zeros(int(plan.frames / float(spec.rate) * SOUND) + 1)
    for clap in plan.claps:
        sound = foley.hand_clap(rng) if spec.slate == "hand" else foley.clap(rng)
        _lay(made, sound * rng.uniform(0.5, 0.9), clap)
    begin, end = plan.action
    if spec.slate in {"head", "hand"} and spec.speech:
        _speak(made, spec, rng, 0.1, plan.enter + 0.6)
        _speak(made, spec, rng, begin + 0.1, begin + 0.6)
    if spec.speech:
        _speak(made, spec, rng, begin + 1.2, end - 0.3)
    for number, name in enumerate(spec.extra):
        at = begin + (end - begin) * (number + rng.uniform(0.3, 0.7)) / len(spec.extra)
        _lay(made, foley.NEGATIVES[name](rng) * rng.uniform(0.3, 0.8), at)
    return made


def _lay(made, sound, seconds):
    at = round(seconds * SOUND)
    part = sound[: max(0, len(made) - at)]
    made[at : at + len(part)] += part


# Samples of the voice that one take of a day may use.
_STRETCH = 30 * SOUND


def _speak(made, spec, rng, begin, end):
    voice = foley.voice(spec.language)
    length = max(0, round((end - begin) * SOUND))
    low, high = 0, len(voice) - length
    if spec.lines is not None:
        # Nobody says a line twice in the very same way: takes of a day have stretches of their own.
        low = spec.lines * _STRETCH % max(1, high - _STRETCH)
        high = low + max(1, _STRETCH - length)
    first = int(rng.integers(low, high))
    fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 960)
    _lay(made, voice[first : first + length] * fade * rng.uniform(0.5, 1), begin)


def _camera_sound(dry, spec, rng):
    """What the camera's own microphone hears: the room more than the voice, and noise."""
    late = np.pad(dry, (int(rng.uniform(0.002, 0.01) * SOUND), 0))[: len(dry)]
    sound = foley.reverberant(late, foley.room(rng))
    noise = foley.tone_of_room(rng, len(sound)) * 0.06 * 10 ** (-spec.snr / 20)
    return np.clip(sound + noise, -1, 1)


# ---------------------------------------------------------------- files


def _write(path, spec, heard, start, pictures):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=spec.rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "18"}
        stream.metadata["timecode"] = str(start)
        sound = container.add_stream("pcm_s16le", rate=SOUND, layout="mono")
        _write_sound(container, sound, heard)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, 1 / spec.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_sound(container, stream, heard):
    for at in range(0, len(heard), 1920):
        part = (heard[at : at + 1920] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(part[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND, at, Fraction(1, SOUND)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _write_wav(path, channels, reference, scene, take):
    """Write a broadcast wave file, 24 bit, by EBU Tech 3285 and the iXML specification."""
    packed = np.clip(channels.T * 8388607, -8388608, 8388607).astype("<i4")
    data = packed.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    bext = struct.pack(
        "<256s32s32s10s8sQH254s",
        b"take", b"recorder", b"", b"2026-05-04", b"10:00:00", max(0, reference), 1, b"",
    )  # fmt: skip
    ixml = (
        '<?xml version="1.0" encoding="UTF-8"?><BWFXML><IXML_VERSION>1.61</IXML_VERSION>'
        f"<SCENE>{scene}</SCENE><TAKE>{take}</TAKE><TAPE>S01</TAPE></BWFXML>"
    ).encode()
    count = len(channels)
    form = struct.pack("<HHIIHH", 1, count, SOUND, SOUND * 3 * count, 3 * count, 24)
    chunks = [(b"fmt ", form), (b"bext", bext), (b"iXML", ixml), (b"data", data)]
    body = b"".join(k + struct.pack("<I", len(c)) + c + b"\0" * (len(c) & 1) for k, c in chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
