"""PySceneDetect's AdaptiveDetector on a clip, with its default settings.

Run by the environment that the benchmark ``edit`` makes: ``python adaptive.py CLIP``.
Prints the frames it read and the seconds it took, imports left out.
"""

import sys
import time

from scenedetect import AdaptiveDetector, SceneManager, open_video

if __name__ == "__main__":
    began = time.perf_counter()
    video = open_video(sys.argv[1])
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    frames = manager.detect_scenes(video)
    print(frames, time.perf_counter() - began)
