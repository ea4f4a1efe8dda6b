"""OpenColorIO by bands of four channels: what it makes of three, to the last bit."""

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
import pytest

from handlers.effects import pixels


@pytest.mark.parametrize("size", [(1, 1), (31, 7), (32, 5), (97, 40)])
def test_bands_make_what_the_processor_makes(size):
    """Also of values beyond 0..1, and of light that has no end."""
    rgb = np.random.default_rng(1).normal(0.5, 0.6, (*size, 3)).astype(np.float32)
    rgb[0, 0] = np.inf, -np.inf, 0
    grade = ocio.CDLTransform(slope=[1.1, 0.9, 1.3], offset=[0.1, 0, -0.1], power=[1, 1.2, 0.7])
    made = ocio.Config.CreateRaw().getProcessor(grade).getDefaultCPUProcessor()
    wanted = rgb.copy()
    made.applyRGB(wanted)
    pixels.apply(made, rgb)
    np.testing.assert_array_equal(rgb, wanted)
