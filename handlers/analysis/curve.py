"""What code values mean: from how a camera recorded them to luma as a person sees it.

Measures are compared with each other and with thresholds, so all of them are taken in
one display-like scale: 0 is black, 1 is the white of a display, middle grey lies near
0.42. Pictures recorded for a display are in it already. Log and HDR pictures are led
back to scene light by their makers' published formulas, then through one curve that
keeps middle grey where a display has it and rolls highlights off below 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_GAMMA = 2.2
# Code values of analogue studio levels, as fractions of an 8-bit scale (ITU-R BT.601, BT.709).
_BLACK, _WHITE = 16 / 255, 235 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One transfer curve.

    ``to_scene`` takes signal values 0..1 to scene light, 0.18 for middle grey;
    None where the signal is display-like already. ``scaled`` says that the signal 0..1
    lies between legal black and white where the file has legal range; the others'
    makers define it over all code values. ``black`` is the signal of no light.
    """

    name: str
    to_scene: Callable[[Values], Values] | None = None
    scaled: bool = True
    black: float = 0.0

    def display(self, signal: Values) -> Values:
        """Return display-like luma 0..1 of signal values 0..1 (beyond them is clipped)."""
        inside = np.clip(signal, 0, 1)
        if self.to_scene is None:
            return inside
        peak = max(1.0, float(self.to_scene(np.ones(1))[0]))
        light = np.clip(self.to_scene(inside), 0, peak)
        # Reinhard et al., "Photographic tone reproduction" (2002), equation 4.
        rolled = light * (1 + light / peak**2) / (1 + light)
        return np.asarray((rolled / _rolled_peak(peak)) ** (1 / _GAMMA))

    @property
    def is_log(self) -> bool:
        """Say whether the picture must be developed before a person looks at it."""
        return self.to_scene is not None


def _rolled_peak(peak: float) -> float:
    return peak * (1 + 1 / peak) / (1 + peak)


def _power(values: Values) -> Values:
    return np.asarray(np.power(10.0, values))


def _logc3(x: Values) -> Values:
    """ARRI, "ALEXA Log C Curve" (2017), exposure index 800."""
    toe = (x - 0.092809) / 5.367655
    return np.where(x > 0.149658, (_power((x - 0.385537) / 0.247190) - 0.052272) / 5.555556, toe)


def _logc4(x: Values) -> Values:
    """ARRI, "LogC4 Specification" (2022)."""
    a, b, c = (2**18 - 16) / 117.45, (1023 - 95) / 1023, 95 / 1023
    s = 7 * np.log(2) * 2 ** (7 - 14 * c / b) / (a * b)
    t = (2 ** (14 * (-c / b) + 6) - 64) / a
    return np.where(x < 0, x * s + t, (np.exp2(14 * (x - c) / b + 6) - 64) / a)


def _slog3(x: Values) -> Values:
    """Sony, "Technical Summary for S-Gamut3.Cine/S-Log3"."""
    code = x * 1023
    toe = (code - 95) * 0.01125 / (171.2102946929 - 95)
    return np.where(code >= 171.2102946929, _power((code - 420) / 261.5) * 0.19 - 0.01, toe)


def _slog2(x: Values) -> Values:
    """Sony, "S-Log2" (2012): 219/155 of S-Log's light, over code values 64..940."""
    y = (x * 1023 - 64) / 876
    toe = (y - 0.030001222851889303) / 3.53881278538813
    light = (219 / 155) * (_power((y - 0.616596 - 0.03) / 0.432699) - 0.037584)
    return np.where(y >= 0.030001222851889303, light, toe) * 0.9


def _vlog(x: Values) -> Values:
    """Panasonic, "V-Log/V-Gamut Reference Manual" (2014)."""
    return np.where(x < 0.181, (x - 0.125) / 5.6, _power((x - 0.598206) / 0.241514) - 0.00873)


def _clog3(x: Values) -> Values:
    """Canon, "Canon Log 3" white paper (2018)."""
    low = -(_power((0.12783901 - x) / 0.36726845) - 1) / 14.98325
    high = (_power((x - 0.12240537) / 0.36726845) - 1) / 14.98325
    middle = (x - 0.12512219) / 1.9754798
    return 0.9 * np.where(x < 0.097465473, low, np.where(x <= 0.15277891, middle, high))


def _flog(x: Values) -> Values:
    """Fujifilm, "F-Log Data Sheet" 1.1."""
    light = _power((x - 0.790453) / 0.344676) / 0.555556 - 0.009468 / 0.555556
    return np.where(x < 0.100537775223865, (x - 0.092864) / 8.735631, light)


def _flog2(x: Values) -> Values:
    """Fujifilm, "F-Log2 Data Sheet" 1.0."""
    light = (_power((x - 0.384316) / 0.245281) - 0.064829) / 5.555556
    return np.where(x < 0.100686685370811, (x - 0.092864) / 8.799461, light)


def _nlog(x: Values) -> Values:
    """Nikon, "N-Log Specification" (2018)."""
    code = x * 1023
    return np.where(code < 452, (code / 650) ** 3 - 0.0075, np.exp((code - 619) / 150))


def _dlog(x: Values) -> Values:
    """DJI, "White Paper on D-Log and D-Gamut" (2017)."""
    light = (_power(3.89616 * x - 2.27752) - 0.0108) / 0.9892
    return np.where(x <= 0.14, (x - 0.0929) / 6.025, light)


def _hlg(x: Values) -> Values:
    """ITU-R BT.2100, inverse of the HLG OETF; its reference white, 75 % of signal, is 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)
    return np.asarray(light / 0.26496)


def _pq(x: Values) -> Values:
    """SMPTE ST 2084; reference white of 203 cd/m² (ITU-R BT.2408) is 1, 1000 cd/m² the peak."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = x ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(np.minimum(light * 10000, 1000) / 203)


def _log100(x: Values) -> Values:
    """ITU-T H.273 transfer characteristics 9: 100 to 1."""
    return _power(2 * (x - 1))


def _log316(x: Values) -> Values:
    """ITU-T H.273 transfer characteristics 10: 100 times the root of ten to 1."""
    return _power(2.5 * (x - 1))


DISPLAY = Curve(name="display")

# In FFmpeg's names; what is not here was made for a display.
_BY_TRANSFER = {
    "arib_std_b67": Curve(name="HLG", to_scene=_hlg),
    "smpte2084": Curve(name="PQ", to_scene=_pq),
    "log": Curve(name="log 100:1", to_scene=_log100),
    "log_sqrt": Curve(name="log 316:1", to_scene=_log316),
}

# Cameras tag log pictures as BT.709 or not at all; their own name of the curve is in metadata.
_BY_NAME = (
    (r"log\W?c ?4", Curve(name="LogC4", to_scene=_logc4, black=95 / 1023)),
    (r"log\W?c", Curve(name="LogC3", to_scene=_logc3, black=0.0928)),
    (r"s\W?log\W?3", Curve(name="S-Log3", to_scene=_slog3, scaled=False, black=95 / 1023)),
    (r"s\W?log\W?2", Curve(name="S-Log2", to_scene=_slog2, scaled=False, black=90 / 1023)),
    (r"v\W?log", Curve(name="V-Log", to_scene=_vlog, scaled=False, black=0.125)),
    (r"c(anon)?\W?log\W?3", Curve(name="Canon Log 3", to_scene=_clog3, black=0.1251)),
    (r"f\W?log\W?2", Curve(name="F-Log2", to_scene=_flog2, scaled=False, black=0.0929)),
    (r"f\W?log", Curve(name="F-Log", to_scene=_flog, scaled=False, black=0.0929)),
    (r"n\W?log", Curve(name="N-Log", to_scene=_nlog, scaled=False, black=0.1244)),
    # The curves of D-Log M and D-Log2 are others.
    (r"d\W?log(?![\W_]?[m2])", Curve(name="D-Log", to_scene=_dlog, scaled=False, black=0.0929)),
    (r"hlg|hybrid\W?log|b67", _BY_TRANSFER["arib_std_b67"]),
    (r"pq|2084", _BY_TRANSFER["smpte2084"]),
)


def curve_of(transfer: str, gamma: str | None = None) -> Curve:
    """Return the curve of a clip.

    Args:
        transfer: FFmpeg's name of the transfer characteristics, as in ``ColourFacts``.
        gamma: The camera's own name of its curve ("S-Log3", "LOG-C"), where
            metadata has one; it wins, since cameras tag log pictures as BT.709.
    """
    for pattern, curve in _BY_NAME:
        if gamma and re.search(rf"(?<![a-z]){pattern}", gamma.lower()):
            return curve
    return _BY_TRANSFER.get(transfer.replace("-", "_"), DISPLAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How the code values of one clip are read; ``depth`` is bits a sample.

    ``black`` and ``white`` are the code values, 0..1 of all, at which light ends;
    ``lut`` float32 [2**depth] is display-like luma of each.
    """

    depth: int
    black: float
    white: float
    lut: NDArray[np.float32]


def scale(curve: Curve, depth: int, *, full: bool) -> Scale:
    """Build the scale of a curve at ``depth`` bits, in full or legal range."""
    codes = np.arange(2**depth) / (2**depth - 1)
    # Legal levels are exact multiples: 16 is 64 in ten bits, of 1023.
    step = 2 ** (depth - 8) * 255 / (2**depth - 1)
    low, high = (0.0, 1.0) if full else (_BLACK * step, _WHITE * step)
    if curve.is_log and not curve.scaled:
        low, high = 0.0, 1.0
    signal = (codes - low) / (high - low)
    return Scale(
        depth=depth,
        black=low + curve.black * (high - low),
        white=high,
        lut=curve.display(signal).astype(np.float32),
    )
