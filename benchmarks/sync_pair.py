"""One clip and one recording matched in a process of its own.

``python -m benchmarks.sync_pair CLIP RECORDING`` prints the offset in samples, the drift in ppm
(both null where it was refused), the seconds of processor time and the peak memory in MiB,
imports and all.
"""

import json
import resource
import sys
from pathlib import Path

from handlers.sync.match import sync
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Match, Options

if __name__ == "__main__":
    clip, recording = (Path(name) for name in sys.argv[1:])
    (found,) = sync([read_clip(clip)], [read_recording(recording)], Options(), lambda *_: None)
    used = resource.getrusage(resource.RUSAGE_SELF)
    known = isinstance(found, Match)
    print(
        json.dumps(
            {
                "offset": found.offset_samples if known else None,
                "drift": found.drift_ppm if known else None,
                "seconds": used.ru_utime + used.ru_stime,
                "mebibytes": used.ru_maxrss / 1024,
            }
        )
    )
