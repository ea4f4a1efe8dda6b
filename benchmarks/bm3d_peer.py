"""BM3D on colour pictures, with its default profile.

Run by the environment that the benchmark ``denoise`` makes:
``python bm3d_peer.py NOISY.npz SIGMA MADE.npz``.
"""

import sys

import bm3d
import numpy as np

if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        noisy = [file[name] for name in file.files]
    made = [bm3d.bm3d_rgb(one.astype(np.float64), float(sys.argv[2])) for one in noisy]
    np.savez(sys.argv[3], *(one.astype(np.float32) for one in made))
