"""What of the records can stand in one table, and sentences on what cannot.

A FID measured in another way than its neighbours is left out, never averaged with them.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.protocol import VALIDATION
from study.tables.table import Table, build_table
from trainables.count import plural

_NAMED = 3
_Protocol = Mapping[str, Any]


def sound_table(spec: StudySpec, records: Sequence[TrialRecord]) -> tuple[Table, list[str]]:
    """The table of what can share one, and a sentence on everything left out."""
    sound, notes = sound_records(records)
    return build_table(spec, sound), notes


def sound_records(records: Sequence[TrialRecord]) -> tuple[list[TrialRecord], list[str]]:
    """The records that one table can hold, and a sentence on everything left out."""
    trials, notes = _of_one_protocol(records, "validation", _validation)
    tested, more = _of_one_protocol(trials, "test", _test)
    kept = set(map(id, tested))
    sound = [record if id(record) in kept else replace(record, test=None) for record in trials]
    return sound, [*notes, *more, *_lost_histories(sound)]


def _of_one_protocol(
    records: Sequence[TrialRecord],
    split: str,
    protocol_of: Callable[[TrialRecord], _Protocol | None],
) -> tuple[list[TrialRecord], list[str]]:
    """The records of each data set's most common protocol, and those without any."""
    known = [(record, protocol_of(record)) for record in records]
    counts: dict[str, Counter[str]] = {}
    for record, protocol in known:
        if protocol is not None:
            counts.setdefault(record.stratum.dataset, Counter())[_key(protocol)] += 1
    usual = {dataset: count.most_common(1)[0][0] for dataset, count in counts.items()}
    kept = [
        record for record, protocol in known
        if protocol is None or _key(protocol) == usual[record.stratum.dataset]
    ]  # fmt: skip
    ids = set(map(id, kept))
    left_out = [(r, p) for r, p in known if p is not None and id(r) not in ids]
    return kept, _mixture_notes(split, usual, left_out)


def _mixture_notes(
    split: str, usual: Mapping[str, str], left_out: Sequence[tuple[TrialRecord, _Protocol]]
) -> list[str]:
    notes = []
    for dataset in dict.fromkeys(record.stratum.dataset for record, _ in left_out):
        own = [(record, p) for record, p in left_out if record.stratum.dataset == dataset]
        wanted = json.loads(usual[dataset])
        fields = {
            name: f"{name} is {protocol.get(name)!r} instead of {wanted.get(name)!r}"
            for _, protocol in own
            for name in (*protocol, *wanted)
            if protocol.get(name) != wanted.get(name)
        }
        notes.append(
            f"{plural(len(own), f'{split} result')} of {dataset} cannot share a column with the"
            f" others and {'is' if len(own) == 1 else 'are'} left out"
            f" ({_named([record for record, _ in own])}): {'; '.join(fields.values())}."
        )
    return notes


def _lost_histories(records: Sequence[TrialRecord]) -> list[str]:
    lost = [record for record in records if _has_lost_history(record)]
    if not lost:
        return []
    return [
        f"The history of {plural(len(lost), 'trial')} is missing or damaged ({_named(lost)}):"
        " curves and bounds of these epochs are left out; FIDs and states are the ledger's."
    ]


def _has_lost_history(record: TrialRecord) -> bool:
    """Whether an ended trial has fewer epochs than the ledger has seen of it."""
    last = record.measurements[-1].epoch if record.measurements else 0
    return record.state in ("COMPLETE", "PRUNED") and last < max(record.rungs, default=0)


def _named(records: Sequence[TrialRecord]) -> str:
    names = [f"{r.phase} {r.stratum} #{r.number}" for r in records[:_NAMED]]
    more = len(records) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _key(protocol: _Protocol) -> str:
    return json.dumps(dict(protocol), sort_keys=True)


def _validation(record: TrialRecord) -> _Protocol | None:
    protocol: _Protocol | None = record.attributes.get(VALIDATION)
    return protocol


def _test(record: TrialRecord) -> _Protocol | None:
    return record.test.protocol if record.test else None
