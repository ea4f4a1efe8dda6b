"""The demonstration's third part: a noisy dialogue recording, and a programme mix.

Real speech with noise and mains hum, as a recorder writes it, with bext and iXML; and a mix that is
too quiet. What fxd makes of both is held against what was made.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy import signal

from handlers.media import bwf
from tests import recorder, speech

RATE = 48000
PATIENCE = 600.0
RECORDING, MIX = "audio/day01/12A-T03.wav", "mixes/trailer.wav"
SNR_DB, WANTED_LUFS = 5.0, -23.0
MEANINGS = {
    "report.html": "before and after to hear, with waveforms, loudness and findings",
    "spectrogram.png": "what was there, above what is left",
    "{stem}.wav": "the sound, with every chunk that the recorder wrote",
    "loudness.json": "loudness and peaks, before and after",
    "qc.json": "what was found, with ranges; which chunks were kept",
    "segments.json": "where there is speech, music and noise",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was made: the clean speech, and the file that was dropped."""

    clean: np.ndarray
    dropped: Path


def drop(studio: Path, media: Path, say: Callable[[str], None]) -> Truth:
    """Make a recording and a mix and drop them.

    Raises:
        RuntimeError: The speech cannot be fetched.
    """
    say("\nNow sound: a dialogue recording with noise and mains hum, and a mix that is too quiet.")
    speech.fetch_speech(media)
    clean = _speech(media)
    path, mix = studio / RECORDING, studio / MIX
    for one in (path, mix):
        one.parent.mkdir(parents=True, exist_ok=True)
    _record(path, clean + _noise(clean))
    stereo = np.stack([clean, np.roll(clean, 12)], axis=1) * 0.3
    soundfile.write(mix, stereo, RATE, subtype="PCM_24")
    for name in (RECORDING, MIX):
        say(f"Dropped {name}")
    return Truth(clean=clean, dropped=path)


def _speech(media: Path, seconds: float = 20.0) -> np.ndarray:
    """Some prompts with pauses between them, at 48 kHz."""
    pause = np.zeros(speech.RATE // 2, np.float32)
    spoken = [one for one in speech.prompts("en", media) if len(one) > speech.RATE]
    joined = np.concatenate([part for one in spoken[:40] for part in (one, pause)])
    made: np.ndarray = signal.resample_poly(joined[: int(seconds * speech.RATE)], 3, 1)
    return (0.25 * made / np.abs(made).max()).astype(np.float32)


def _noise(clean: np.ndarray) -> np.ndarray:
    """Noise of a room, falling by 6 dB an octave, and mains hum with four harmonics."""
    rng = np.random.default_rng(7)
    room = signal.lfilter([1.0], [1.0, -0.95], rng.normal(0, 1, len(clean)))
    time_axis = np.arange(len(clean)) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * n * time_axis) / n for n in range(1, 6))
    wanted = np.sqrt(np.square(clean).mean()) * 10 ** (-SNR_DB / 20)
    noise = room / room.std() + 0.4 * hum / np.std(hum)
    return (noise * wanted / noise.std()).astype(np.float32)


def _record(path: Path, samples: np.ndarray) -> None:
    """Write it as a recorder does: 24 bits, timecode, scene, take and a named track."""
    values = np.round(np.clip(samples, -1, 1) * (2**23 - 1)).astype(np.int64)[:, np.newaxis]
    recorder.wave(
        path,
        recorder.fmt(24),
        recorder.packed(values, 24),
        before=[(b"bext", recorder.bext()), (b"iXML", recorder.ixml(("Boom",)))],
        after=[(b"cue ", bytes(4))],
    )


def wait(status: Callable[[], dict[str, Any]], say: Callable[[str], None]) -> None:
    """Wait until both are done.

    Raises:
        RuntimeError: A job failed, or it takes too long.
    """
    until, done = time.monotonic() + PATIENCE, set()
    while time.monotonic() < until:
        for job in status()["recent"]:
            if job["asset"] in {RECORDING, MIX} and job["asset"] not in done:
                if job["status"] != "done":
                    raise RuntimeError(f"{job['asset']} {job['status']}: {job['error']}")
                done.add(job["asset"])
                say(f"  {job['asset']}: done")
        if len(done) == 2:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the sound was not done within {PATIENCE / 60:.0f} minutes")


def verify(studio: Path, truth: Truth, say: Callable[[str], None]) -> None:
    """Hold what fxd made against what it was made of.

    Raises:
        RuntimeError: A file is missing, a chunk is lost, or the sound is no better than before.
    """
    folder, mixed = _folder(studio, RECORDING), _folder(studio, MIX)
    for place in (folder, mixed):
        missing = [name for name in _names(place) if not (place / name).is_file()]
        if missing:
            raise RuntimeError(f"{place} lacks {', '.join(missing)}")
    before, after = (_read(path) for path in (truth.dropped, folder / f"{folder.name}.wav"))
    if len(before) != len(after):
        raise RuntimeError("the cleaned recording is not as long as what was dropped")
    gained = _si_sdr(truth.clean, after) - _si_sdr(truth.clean, before)
    if gained < 3:
        raise RuntimeError(f"cleaning gained {gained:.1f} dB of signal over distortion only")
    _verify_words(truth.dropped, folder / f"{folder.name}.wav")
    said = json.loads((mixed / "loudness.json").read_text(encoding="utf-8"))
    if abs(said["after"]["integrated_lufs"] - WANTED_LUFS) > 0.2:
        raise RuntimeError(f"the mix has {said['after']['integrated_lufs']} LUFS")
    found = json.loads((folder / "qc.json").read_text(encoding="utf-8"))["findings"]
    if not any(one["kind"] == "hum" for one in found):
        raise RuntimeError("the mains hum was not found")
    say(f"\n{RECORDING}: speech over everything else {gained:+.1f} dB (SI-SDR), hum found,")
    say("  every chunk kept: scene, take, timecode and track name are the recorder's.")
    say(f"{MIX}: {said['before']['integrated_lufs']:.1f} LUFS before, "
        f"{said['after']['integrated_lufs']:.1f} after, "
        f"true peak {said['after']['true_peak_dbtp']:.1f} dBTP.")  # fmt: skip


def show(studio: Path, shown: Callable[[Path], str], say: Callable[[str], None]) -> None:
    """List what landed, and what each is for."""
    folder = _folder(studio, RECORDING)
    say(f"\n{shown(folder)}/")
    for name, meaning in MEANINGS.items():
        say(f"  {name.format(stem=folder.name):<20} {meaning}")


def _folder(studio: Path, asset: str) -> Path:
    top, _, rest = asset.partition("/")
    return studio / f"{top}_sound" / Path(rest).with_suffix("")


def _names(folder: Path) -> list[str]:
    return [name.format(stem=folder.name) for name in MEANINGS]


def _read(path: Path) -> np.ndarray:
    samples: np.ndarray = soundfile.read(path, dtype="float64")[0]
    return samples


def _verify_words(before: Path, after: Path) -> None:
    old, new = bwf.read(before), bwf.read(after)
    names = [[each[0] for each in recorder.listed(path)] for path in (before, after)]
    if old is None or new is None or names[0] != names[1]:
        raise RuntimeError("a chunk of the recording was lost")
    facts = [
        (one.start, one.words.get("SCENE"), one.words.get("TAKE"), one.tracks) for one in (old, new)
    ]
    if facts[0] != facts[1]:
        raise RuntimeError(f"the recorder wrote {facts[0]}, the result says {facts[1]}")


def _si_sdr(clean: np.ndarray, made: np.ndarray) -> float:
    """Signal over distortion in dB, whatever the gain (Le Roux et al., 2019)."""
    target = clean * (made @ clean) / (clean @ clean)
    return float(10 * np.log10((target @ target) / np.square(made - target).sum()))
