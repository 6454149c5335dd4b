"""A study in Markdown: its question, and a line for each stratum."""

import statistics
from collections import Counter
from collections.abc import Sequence

from search_spaces import Stratum, StudySpec
from study.record import TrialRecord
from study.text import duration_text, fid_text


def overview(spec: StudySpec, records: Sequence[TrialRecord]) -> str:
    """What the study asks, and what it has found so far."""
    seconds = sum(m.seconds for record in records for m in record.measurements)
    lines = (
        [f"# {spec.name}", "", spec.description, ""] if spec.description else [f"# {spec.name}"]
    )
    lines += ["", "| stratum | trials | pruned | failed | validation FID | test FID |"]
    lines += ["|---|---|---|---|---|---|"]
    first = spec.confirm.by[0]
    lines += [_line(stratum, records, first) for stratum in spec.searches()]
    lines += ["", f"{len(records)} trials, {duration_text(seconds)} of training and evaluation."]
    lines += ["FIDs: lower is better; the validation FID is the best of the search, the test FID"]
    lines += ["mean ± standard deviation over seeds."]
    return "\n".join(lines)


def _line(stratum: Stratum, records: Sequence[TrialRecord], criterion: str) -> str:
    own = [record for record in records if record.stratum == stratum]
    states = Counter(record.state for record in own)
    search = [r.value for r in own if r.value is not None and r.phase == "search"]
    tests = [
        record.test.test_fid
        for record in own
        if record.test and criterion in record.attributes.get("chosen_by", [criterion])
    ]
    mean = statistics.fmean(tests) if tests else None
    spread = statistics.stdev(tests) if len(tests) > 1 else None
    cells = [
        str(stratum), str(len(own)), str(states["PRUNED"]), str(states["FAIL"]),
        fid_text(min(search, default=None)), fid_text(mean, spread),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
