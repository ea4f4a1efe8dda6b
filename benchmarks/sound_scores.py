"""Judges cleaned speech against the clean: PESQ, STOI, SI-SDR, all at 16 kHz.

Run by the environment that the benchmark ``sound`` makes: ``python sound_scores.py FILE.npz``,
which holds ``clean`` [pieces, n] and, by any other name, what was made of it, alike. Prints as JSON
the mean of each score by name.

PESQ: ITU-T P.862.2 (wide band); STOI: Taal et al. 2011; SI-SDR: Le Roux et al. 2019.
"""

import json
import sys

import numpy as np
from pesq import pesq
from pystoi import stoi

RATE = 16000


def si_sdr(clean: np.ndarray, made: np.ndarray) -> float:
    """Scale-invariant signal to distortion, in dB."""
    clean, made = clean - clean.mean(), made - made.mean()
    target = clean * (made @ clean) / (clean @ clean)
    return float(10 * np.log10((target @ target) / ((made - target) @ (made - target))))


def scores(clean: np.ndarray, made: np.ndarray) -> tuple[float, float, float]:
    """Judge one piece."""
    return (
        float(pesq(RATE, clean, made, "wb")),
        float(stoi(clean, made, RATE)),
        si_sdr(clean.astype(np.float64), made.astype(np.float64)),
    )


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as file:
        ends = file["ends"]
        pieces = {name: np.split(file[name], ends[:-1]) for name in file.files if name != "ends"}
    clean = pieces.pop("clean")
    made = {
        name: [scores(*pair) for pair in zip(clean, theirs, strict=True)]
        for name, theirs in pieces.items()
    }
    print(json.dumps({name: np.mean(each, axis=0).tolist() for name, each in made.items()}))
