"""audio-offset-finder on pairs of files, with its default settings.

Run by the environment that the benchmark ``sync`` makes: ``python offset_finder.py < PAIRS``,
where each line is a JSON list of recording and clip. Prints for each pair the offset in seconds,
the standard score and the seconds of processor time it took, imports left out.
"""

import json
import resource
import sys

from audio_offset_finder.audio_offset_finder import find_offset_between_files


def spent() -> float:
    """Return the processor time of this process and of the FFmpeg that it calls."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    for line in sys.stdin:
        recording, clip = json.loads(line)
        began = spent()
        found = find_offset_between_files(recording, clip)
        answer = [found["time_offset"], found["standard_score"], spent() - began]
        print(json.dumps([float(each) for each in answer]), flush=True)
