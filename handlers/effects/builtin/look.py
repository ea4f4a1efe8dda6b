"""Applies a look from a file: a LUT, an ASC CDL, a CLF, whatever OpenColorIO reads.

Display values go through it as they are, which is what a LUT for a camera's log wants. Light is
taken to a log space before and back after, as ACES grades are made; which one can be set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813

from handlers.contract import UnusableMedia
from handlers.effects import pixels, working_space
from handlers.effects.builtin.look_file import LookFile, open_look
from handlers.effects.effect import Effect, Footage, Picture, Tools
from handlers.effects.options import LookOptions
from handlers.media.probe import ColourFacts
from handlers.media.source import shown, shown_text

_AS_IS = "as-is"
_REC709 = ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="unknown")
# Light that is brighter than white, to see whether a look ends there.
_BRIGHT = (1.0, 4.0)
# Greys, to see whether a look colours them; finer than any table.
_GREYS = np.repeat(np.linspace(-0.1, 1.1, 1201, dtype=np.float32)[:, None], 3, axis=1)
_TINT = 1e-5


class FileLook(Effect):
    """Applies the look of a file; alpha stays as it is."""

    def __init__(self, options: LookOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        self._files: dict[str, str] = {}

    def begin(self, footage: Footage) -> Footage:
        """Read the file; return what comes out, display values where the options say so.

        Raises:
            UnusableMedia: The file is not there or no look, or ``working`` is no colour space.
            TransientFailure: The file cannot be reached just now.
        """
        look = open_look(self._options, self._tools.storage)
        self._files = {shown_text(self._options.file): look.sha256}
        working = self._working(look, footage)
        steps = [look.transform]
        if working != _AS_IS:
            steps.insert(0, ocio.ColorSpaceTransform(src=footage.space, dst=working))
            if self._options.into == "same":
                steps.append(ocio.ColorSpaceTransform(src=working, dst=footage.space))
        self._processor = self._made(steps, working)
        self._whole = self._processor.getDefaultCPUProcessor()
        self.keeps_grey = self._leaves_grey()
        self._tell(look, working, footage)
        if self._options.into == "same" or not footage.scene_linear:
            return footage
        return replace(footage, scene_linear=False, space="display", colour=_REC709)

    def apply(self, window: Sequence[Picture], number: int) -> Picture:  # noqa: ARG002
        """Apply the look to one picture."""
        (picture,) = window
        made = np.array(picture.rgb, np.float32, order="C")
        pixels.apply(self._whole, made)
        return Picture(made, picture.alpha)

    def files(self) -> Mapping[str, str]:
        """Return the file as it was read."""
        return self._files

    def processor(self) -> Any | None:
        """Return what OpenColorIO does here."""
        return self._processor

    def _working(self, look: LookFile, footage: Footage) -> str:
        """Return the space that the look is applied in; display values are never converted."""
        if not footage.scene_linear:
            return _AS_IS
        if self._options.working != "auto":
            return self._options.working
        return _AS_IS if look.takes_any_values else working_space.NAME

    def _made(self, steps: list[Any], working: str) -> Any:
        try:
            return working_space.config().getProcessor(ocio.GroupTransform(steps))
        except ocio.Exception as error:
            raise UnusableMedia(
                f"The look cannot be applied in {shown_text(working)}, which is no colour space "
                'that OpenColorIO knows; set working to "ACEScct", "ARRI LogC4" or another.'
            ) from error

    def _tell(self, look: LookFile, working: str, footage: Footage) -> None:
        name = shown(look.path)
        where = "to values as they are" if working == _AS_IS else f"in {working}"
        self._tools.notes.append(f"look: {name} (SHA-256 {look.sha256}) was applied {where}.")
        if footage.floating and self._ends():
            self._tools.notes.append(f"look: {name} ends at white; what was brighter became white.")

    def _leaves_grey(self) -> bool:
        """Say whether what is grey stays so, as with a curve or in black and white."""
        made = np.ascontiguousarray(_GREYS)[None].copy()
        pixels.apply(self._whole, made)
        return bool(np.ptp(made, axis=-1).max() < _TINT)

    def _ends(self) -> bool:
        """Say whether light of several times white comes out as white does."""
        white, brighter = (self._whole.applyRGB([value] * 3) for value in _BRIGHT)
        return bool(np.allclose(white, brighter, rtol=1e-4, atol=1e-5))
