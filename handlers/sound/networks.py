"""The networks that the handler uses, each loaded when it is first needed and kept."""

from __future__ import annotations

from typing import Any

from handlers.contract import Context
from models.errors import ModelError


class Networks:
    """Loads and compiles; lives as long as the child."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def denoiser(self, context: Context, name: str) -> Any:
        """Return what cleans sound.

        Raises:
            ModelError: It is not installed; the sentence says what to run.
        """
        return self._keep(name, context, _DENOISERS[name])

    def voice(self, context: Context) -> Any:
        """Return what hears speech, None where it is not installed."""
        return self._optional("silero-vad", context, _voice)

    def segmenter(self, context: Context) -> Any:
        """Return what tells speech, music and noise apart, None where it is not installed."""
        return self._optional("speech-music-noise", context, _segmenter)

    def _keep(self, name: str, context: Context, make: Any) -> Any:
        if name not in self._made:
            self._made[name] = make(context.models.load(name))
        return self._made[name]

    def _optional(self, name: str, context: Context, make: Any) -> Any:
        try:
            return self._keep(name, context, make)
        except ModelError as error:
            # Nothing is kept: it may be installed until the next recording.
            context.log.info("a network is not there", reason=str(error))
            return None


# TensorFlow is loaded in these, in the child, and nowhere before.
def _deepfilter(model: Any) -> Any:
    from models.enhance.deepfilter import DeepFilter  # noqa: PLC0415

    return DeepFilter(model)


def _nsnet2(model: Any) -> Any:
    from models.enhance.nsnet2 import denoiser  # noqa: PLC0415

    return denoiser(model)


def _dtln(model: Any) -> Any:
    from models.enhance.dtln import denoiser  # noqa: PLC0415

    return denoiser(model)


def _voice(model: Any) -> Any:
    from models.voice.windows import VoiceJudge  # noqa: PLC0415

    return VoiceJudge(model)


def _segmenter(model: Any) -> Any:
    from models.segments.segmenter import Segmenter  # noqa: PLC0415

    return Segmenter(model)


_DENOISERS = {"deepfilternet3": _deepfilter, "nsnet2": _nsnet2, "dtln": _dtln}
