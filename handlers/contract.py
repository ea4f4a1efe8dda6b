"""What a handler is given and what it gives back.

The daemon imports this module and the registry, nothing else from handlers.
It therefore stays free of TensorFlow, PyAV and numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from models.bundle import BundleInfo
from models.errors import FxdError


class UnusableMedia(FxdError):
    """The input itself cannot be used. Never retried; the sentence is shown to a person.

    The sentence names the file, what is wrong and what to do.
    """


class TransientFailure(FxdError):
    """Something outside the input failed and may work later. Retried with backoff."""


class Cancelled(FxdError):
    """A person cancelled the job; raised by ``Context.check_cancelled``."""


class AssetKind(StrEnum):
    """What was dropped, whole."""

    CLIP = "clip"
    RECORDING = "recording"
    SEQUENCE = "sequence"
    CARD = "card"
    DAY = "day"
    EXAMPLES = "examples"
    FILE = "file"


# Endings of file names, lower case. Raw formats that nothing here decodes are clips all the
# same: whoever drops one is told so.
CLIP_ENDINGS = frozenset(
    """3gp ari avi braw dv m2ts m4v mjpeg mjpg mkv mov mp4 mpeg mpg mts mxf ogv r3d ts webm wmv
    y4m""".split()  # noqa: SIM905 - a table reads better so
)
RECORDING_ENDINGS = frozenset(
    "aac aif aiff bwf caf flac m4a mp3 ogg opus rf64 w64 wav wave".split()  # noqa: SIM905
)
SEQUENCE_ENDINGS = frozenset("cin dpx exr jpeg jpg png tga tif tiff".split())  # noqa: SIM905


OP_ATOM_TRACK = re.compile(
    r"(?P<head>.*?)(?P<kind>[AV])\d{1,2}(?P<avid>\.[0-9A-F]{8}_[0-9A-F]+[AV]?)?\.MXF",
    re.IGNORECASE | re.DOTALL,
)
"""Names of an OP-Atom set's tracks: C0001V01.MXF and C0001A01.MXF, clip_v1.mxf and clip_a1.mxf,
Avid's V01.DF338FB9_1F15001F15094V.mxf and A01.DF338FBA_1F15001F150A9A.mxf. Sound makes no job where
a picture of the same head is; a plain A01.mxf, which has none, is a clip."""


class Treatment(StrEnum):
    """What a handler does to the picture or sound, as every manifest must say."""

    ANALYSIS = "analysis"
    ENHANCED = "enhanced"
    GENERATED = "generated"


class Verdict(StrEnum):
    """What a look at an asset says about its completeness.

    CUT: it ends before its own header says, and is usable as far as it goes, as a recording is
    whose recorder lost power. LACKING: each file is whole, and somebody is still to bring another,
    which may take days.
    """

    WHOLE = "whole"
    INCOMPLETE = "incomplete"
    LACKING = "lacking"
    CUT = "cut"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What a probe found, each ``None`` where the file does not say.

    ``rate`` is the edit rate in frames a second, exact (24000/1001); ``duration``
    is in seconds, exact; ``start_timecode`` is "HH:MM:SS:FF", with ";" before the
    frames when drop-frame; ``channels`` counts audio channels over all tracks;
    ``colour`` is "primaries/transfer/matrix/range" in FFmpeg's names.
    """

    rate: Fraction | None = None
    duration: Fraction | None = None
    frames: int | None = None
    start_timecode: str | None = None
    reel: str | None = None
    channels: int | None = None
    colour: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; fractions become "numerator/denominator"."""
        names = self.__slots__
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MediaFacts:
        """Build from what ``to_json`` gave; unknown keys are left out."""
        values: dict[str, Any] = {name: data.get(name) for name in cls.__slots__}
        for name in ("rate", "duration"):
            if values[name] is not None:
                values[name] = Fraction(values[name])
        return cls(**values)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Fraction) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The answer of a completeness check: the container opens and its last frames decode.

    ``beside`` are the files that hold a clip's sound, or are named so: they are a part of its
    version. ``usable`` says that nothing but sound is incomplete or broken: the picture need not
    wait for it for long.
    """

    verdict: Verdict
    reason: str = ""
    facts: MediaFacts = field(default_factory=MediaFacts)
    beside: tuple[Path, ...] = ()
    usable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One dropped thing, whole and settled.

    ``members`` holds the files of a sequence, card or set of examples, in order; it is empty for
    a single file, whose path is ``path``. ``within`` is its path relative to the watched folder.
    """

    path: Path
    kind: AssetKind
    fingerprint: str
    members: tuple[Path, ...] = ()
    facts: MediaFacts = field(default_factory=MediaFacts)
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Something read-only and hash-pinned that the daemon resolved for a handler.

    A source comes with its ``asset``, and ``digest`` is its fingerprint; ``note`` then says why
    it has no results, empty where it has some. Any other input is an artifact that another
    handler made of a source; ``digest`` is its xxh3, that of a person's version where one
    has edited it.
    """

    path: Path
    digest: str
    asset: Asset | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that a handler made; ``path`` is relative to the staging folder."""

    path: str
    role: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerResult:
    """What a run made, and figures about it that are worth keeping.

    A metric ``treatment`` is what the manifest says was done to the media, in the place of the
    spec's: for handlers whose models decide.

    ``bundles`` are folders in staging, relative to it, that each hold a trained model as
    ``models.bundle`` writes it: the daemon puts them into the model store when it publishes the
    rest, of which they are a part.
    """

    artifacts: tuple[Artifact, ...]
    metrics: Mapping[str, float | int | str] = field(default_factory=dict)
    bundles: tuple[str, ...] = ()


class ModelLoader(Protocol):
    """Gives a handler its installed models; the same object for as long as the child lives."""

    def load(self, name: str) -> Any:
        """Return the Keras model of the installed bundle ``name``.

        Raises:
            models.errors.ModelError: The bundle is missing or damaged.
        """
        ...

    def find(self, name: str) -> BundleInfo | None:
        """Return what is known of the bundle that ``load`` would give, None where there is none."""
        ...

    def next_version(self, name: str) -> str:
        """Return the version for a new bundle of this name, later than every one there is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a run may use besides the asset.

    ``staging`` is the only folder that a handler may write to. ``params`` is an
    instance of the handler's parameter model. ``progress`` takes a fraction in
    0..1 and a short message; call it at least every few seconds, because a run
    that shows no progress for long is taken for hung. ``check_cancelled`` raises
    :class:`Cancelled`.

    ``published`` is the folder in which readers will find the results, for links that lead out
    of it; nothing may be written there. ``work`` is a folder in the same file system for what shall
    outlive a failed attempt, such as rendered segments: the next attempt of the same job finds it
    as it was left, and it is deleted when the job has come to its end. ``storage`` is the root of
    the storage, to read files from that parameters name. ``inputs`` is filled for a handler of
    days: "clips/0001" is the first source by its path, "clips/0001/edit/shots.json" what the
    handler ``edit`` made of it, "sound/0001" the first recording from the folders that the
    configuration names as the day's sound.
    """

    staging: Path
    params: Any
    seed: int
    models: ModelLoader
    log: Any
    progress: Callable[[float, str], None]
    check_cancelled: Callable[[], None]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    published: Path | None = None
    work: Path | None = None
    storage: Path | None = None


class Handler(Protocol):
    """A handler's class: made once in a child process, run many times."""

    def run(self, asset: Asset, context: Context) -> HandlerResult:
        """Turn the asset into artifacts in ``context.staging``.

        Raises:
            UnusableMedia: The input cannot be used; never retried.
            TransientFailure: Something outside failed; retried later.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one run takes: slots, and memory in MiB beyond which it is killed.

    With ``gpu_helps`` it is given a GPU that nobody has, and does without where there is none.
    """

    cpu: int = 1
    gpu: int = 0
    gpu_helps: bool = False
    memory: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSpec:
    """A handler as data: cheap to import, its code resolved only in the child.

    ``params`` is a pydantic model class with a working default for each field.
    ``target`` is "module:Class". ``models`` names the catalog bundles it loads, without
    which it waits; ``optional_models`` those that it can do without.
    ``members`` are the kinds that a handler of days wants to be given with each day.
    ``models_for`` names further bundles by a run's parameters and the asset's path relative to
    its watched folder; ``offers`` are the names that such a path may have without any of them.
    ``path_matters`` gives what else a run takes from them: a source that is renamed so that this
    changes is run again. A handler that ``resumes`` is given a folder ``Context.work``.
    """

    name: str
    version: str
    kinds: frozenset[AssetKind]
    params: type[Any]
    target: str
    treatment: Treatment
    needs: Needs = field(default_factory=Needs)
    models: tuple[str, ...] = ()
    suffix: str = ""
    members: frozenset[AssetKind] = frozenset()
    optional_models: tuple[str, ...] = ()
    models_for: Callable[[Any, str], tuple[str, ...]] | None = None
    offers: tuple[str, ...] = ()
    path_matters: Callable[[Any, str], str] | None = None
    resumes: bool = False

    @property
    def output_suffix(self) -> str:
        """The ending of the sibling output folder: ``dailies`` to ``dailies_edit``."""
        return self.suffix or f"_{self.name}"
