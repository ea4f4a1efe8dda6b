"""Foregrounds over green and blue screens, of which the matte is known."""

import cv2
import numpy as np

COLOURS = {"green": (0.12, 0.62, 0.18), "blue": (0.10, 0.20, 0.65)}


def screen(height, width, colour="green", *, uneven=0.0, noise=0.0, seed=3):
    """Paint a screen: light falls off to one side and the corners, the cloth has folds."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    light = 1 - uneven * (0.35 * (x + 1) / 2 + 0.3 * (x * x + y * y) / 2)
    light *= 1 + 0.08 * uneven * np.sin(9 * x + 2 * y)
    made = light[..., None] * np.array(COLOURS[colour])
    return made + noise * np.random.default_rng(seed).standard_normal(made.shape)


def body(height, width):
    """A solid figure with an edge one pixel soft, float64 [height, width]."""
    matte = np.zeros((height * 4, width * 4), np.uint8)
    middle = (width * 2, height * 9 // 4)
    cv2.ellipse(matte, middle, (width * 4 // 5, height * 3 // 2), 0, 0, 360, 255, -1)
    return cv2.resize(matte, (width, height), interpolation=cv2.INTER_AREA) / 255


def hair(height, width, strands=160, seed=5):
    """Strands about half a pixel wide that stand off the figure."""
    rng = np.random.default_rng(seed)
    matte = np.zeros((height * 4, width * 4), np.uint8)
    for angle in rng.uniform(0, 2 * np.pi, strands):
        start = np.array([width * 2 + np.cos(angle) * width * 0.78, height * 9 / 4])
        start[1] += np.sin(angle) * height * 1.45
        steps = np.cumsum(rng.normal(0, 0.25, 12)) + angle
        way = start + np.cumsum(np.stack([np.cos(steps), np.sin(steps)], 1) * width * 0.03, 0)
        cv2.polylines(matte, [way.astype(np.int32)], False, 255, 2)
    return cv2.resize(matte, (width, height), interpolation=cv2.INTER_AREA) / 255


def moved(matte, pixels):
    """Blur a matte as motion across does while the shutter is open."""
    return cv2.blur(matte, (pixels, 1), borderType=cv2.BORDER_REPLICATE)


def without_colour(picture, colour):
    """Leave nothing in a picture that is of the screen's colour, as the costume department does."""
    channel = {"green": 1, "blue": 2}[colour]
    others = np.delete(picture, channel, axis=2).max(axis=2)
    made = picture.copy()
    made[..., channel] = np.minimum(made[..., channel], others)
    return made


def over(front, matte, behind):
    """Put a foreground over something, float32."""
    share = matte[..., None]
    return (front * share + behind * (1 - share)).astype(np.float32)
