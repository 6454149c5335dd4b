"""How long `study show` takes beside loading torch, which is most of it; run by hand.

    python tests/benchmarks/show.py [SPACE]

Medians of five fresh processes each, side by side, in seconds, and their ratio.
"""

import statistics
import subprocess
import sys
import time

NUM_RUNS = 5


def seconds(*command: str) -> float:
    """Of one process from its start to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - started


def main(space: str) -> None:
    """Prints one line."""
    pairs = [
        (seconds("-c", "import torch"), seconds("-m", "study", "show", space))
        for _ in range(NUM_RUNS)
    ]
    torch, shown = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"import torch {torch:.2f} s, study show {space} {shown:.2f} s: {shown / torch:.2f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "table1")
