"""How fast a set is prepared and opened, and what memory that takes; run by hand, never in tests.

    OMP_NUM_THREADS=1 python tests/benchmarks/preparation.py "PATH/cifar10_*.parquet"

Preparing: seconds and peak memory of a fresh process. Opening: in fresh processes, seconds until
the images can be indexed, and what memory is the process's own (resident and not of a file) when
it has opened the set, has read every pixel through the map, and has copied the images. USS is told
too: it counts pages of the file while nobody else maps them. The ratios are what compares.
"""

import json
import subprocess
import sys
import tempfile
from typing import Any

PREPARE = """
import json, resource, sys, time
from pathlib import Path
from trainables.data.preparation import prepare_dataset
started = time.perf_counter()
prepared = prepare_dataset("benchmark", sys.argv[1], Path(sys.argv[2]))
print(json.dumps({
    "images": prepared.num_train + prepared.num_validation + prepared.num_test,
    "bytes": prepared.path.stat().st_size,
    "seconds": time.perf_counter() - started,
    "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "fingerprint": prepared.fingerprint,
}))
"""
OPEN = """
import json, sys, time
from pathlib import Path
import numpy as np, psutil
from trainables.data.prepared_file import find_prepared, read_splits
def memory():
    found = psutil.Process().memory_full_info()
    return {"own": found.rss - found.shared, "uss": found.uss, "rss": found.rss}
found = {"before": memory()}
started = time.perf_counter()
train = read_splits(find_prepared("benchmark", Path(sys.argv[1])))["train"][0]
found["seconds"] = time.perf_counter() - started
found["opened"] = memory()
started = time.perf_counter()
total = sum(int(part.sum(dtype=np.int64)) for part in np.array_split(train, 100))
found["touch_seconds"], found["touched"] = time.perf_counter() - started, memory()
started = time.perf_counter()
copy = np.array(train)
found["copy_seconds"], found["copied"] = time.perf_counter() - started, memory()
found["train_bytes"] = train.nbytes
print(json.dumps(found))
"""
MB = 1e6


def measured(script: str, *arguments: str) -> dict[str, Any]:
    """What a script in a fresh process prints."""
    command = [sys.executable, "-c", script, *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    values: dict[str, Any] = json.loads(output)
    return values


def main(source: str) -> None:
    """Prints one table."""
    with tempfile.TemporaryDirectory() as folder:
        made = measured(PREPARE, source, folder)
        print(
            f"prepare  {made['images']} images in {made['seconds']:.1f} s"
            f" ({made['images'] / made['seconds']:.0f} a second), peak RSS"
            f" {made['peak_rss'] / MB:.0f} MB, file {made['bytes'] / MB:.0f} MB,"
            f" fingerprint {made['fingerprint'][:12]}"
        )
        for _ in range(3):
            tell_opening(measured(OPEN, folder))


def tell_opening(found: dict[str, Any]) -> None:
    """One line of each state, its own memory against the bytes of the training images."""
    before = found["before"]
    print(f"open     {found['seconds'] * 1000:.1f} ms in a fresh process")
    for state in ("opened", "touched", "copied"):
        own, uss, rss = (found[state][kind] - before[kind] for kind in ("own", "uss", "rss"))
        print(
            f"  {state:8} own memory +{own / MB:6.1f} MB ({own / found['train_bytes']:.2f} of the"
            f" training images), USS +{uss / MB:6.1f} MB, RSS +{rss / MB:6.1f} MB"
        )


if __name__ == "__main__":
    main(sys.argv[1])
