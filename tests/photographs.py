"""Photographs from the scikit-image package, each known by its hash."""

import os
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from tests.media import default_folder, pip_download

PACKAGE = "scikit-image==0.25.2"
# All in the public domain or under CC0, as the package's documentation says.
PICTURES = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}


def fetch_photographs(folder=None):
    """Make sure that the photographs are there, whole; return their folder.

    Raises:
        RuntimeError: they cannot be downloaded, or are not those that are meant.
    """
    folder = (folder or default_folder()) / "photographs"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name, digest in PICTURES.items() if not is_whole(folder / name, digest)]
    if missing:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # Each Python has a wheel of its own; the pictures in them are the same.
            wheel = pip_download(PACKAGE, Path(scratch))
            for name in missing:
                take(wheel, name, folder)
    return folder


def is_whole(file, digest):
    """Whether a file is there and is the one that is meant."""
    return file.is_file() and sha256(file.read_bytes()).hexdigest() == digest


def take(wheel, name, folder):
    """Take a picture out of the package."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"skimage/data/{name}")
    if sha256(content).hexdigest() != PICTURES[name]:
        raise RuntimeError(f"{name} is not the picture that is meant: its hash differs")
    partial = folder / f".{name}.{os.getpid()}"
    partial.write_bytes(content)
    partial.replace(folder / name)


def photograph(name):
    """A photograph, RGB float32 [h, w, 3], 0..1."""
    pixels = cv2.imread(str(fetch_photographs() / name), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(pixels[..., ::-1]).astype(np.float32) / np.float32(255)
