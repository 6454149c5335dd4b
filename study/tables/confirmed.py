"""Which confirm trials stand for a cell, and how far its trials are."""

import json
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from study.record import TrialRecord

Records = Sequence[TrialRecord]
Status = tuple[bool, str]


def chosen_trials(confirm: Records, criterion: str) -> tuple[TrialRecord, ...]:
    """The COMPLETE trials whose seeds are tested for a criterion.

    Where nobody has said which: those of the tested config, else of the lowest mean validation
    FID.
    """
    complete = [r for r in confirm if r.state == "COMPLETE" and r.value is not None]
    if _is_said(confirm):
        return tuple(r for r in complete if _stands_for(r, criterion))
    configs: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in complete:
        configs[_config_key(record)].append(record)
    groups = list(configs.values())
    tested = [group for group in groups if any(record.test for record in group)]
    best = min(tested or groups, key=lambda group: np.mean([r.value for r in group]), default=[])
    return tuple(best)


def _is_said(confirm: Records) -> bool:
    """Whether the ledger says of the trials which criterion they stand for."""
    return any("chosen_by" in record.attributes for record in confirm)


def _stands_for(record: TrialRecord, criterion: str) -> bool:
    return criterion in record.attributes.get("chosen_by", ())


def _config_key(record: TrialRecord) -> str:
    """The ledger's name of the config; without one, the config itself but for its seed."""
    slot = record.attributes.get("slot")
    if slot:
        return str(slot[0])
    config = {name: value for name, value in record.config.items() if name != "seed"}
    return json.dumps(config, sort_keys=True, default=str)


def search_status(search: Records, budget: int) -> Status | None:
    """How far the search is, or that it found nothing; None if confirm has the word."""
    if not budget:
        return None
    if not search:
        return False, "not started"
    num_trials = max(budget, len(search))
    num_ended = sum(record.state != "RUNNING" for record in search)
    if num_ended < num_trials:
        return False, f"search: {num_ended} of {num_trials} trials ended"
    if all(record.state != "COMPLETE" for record in search):
        return True, "no complete trial"
    return None


def confirm_status(confirm: Records, criterion: str, num_seeds: int) -> Status:
    """Whether nothing more is to be confirmed for a criterion, and how many seeds are tested."""
    own = [r for r in confirm if _stands_for(r, criterion)] if _is_said(confirm) else confirm
    if _is_said(confirm) and not own:
        return _choosing_status(confirm, num_seeds)
    num_tested = sum(record.test is not None for record in chosen_trials(own, criterion))
    retried = {record.attributes.get("retry_of") for record in own}
    num_failed = sum(r.state == "FAIL" and r.number not in retried for r in own)
    if num_tested >= num_seeds:
        return True, "done"
    words = f"{num_tested} of {num_seeds} seeds tested"
    is_finished = num_tested + num_failed >= num_seeds
    return is_finished, f"{words}, {num_failed} failed" if num_failed else words


def _choosing_status(confirm: Records, num_seeds: int) -> Status:
    """How far the seeds are that choose a config; none is tested before all of them have ended."""
    if any(record.test for record in confirm):  # of what another criterion chose
        return True, "no config chosen"
    num_planned = num_seeds * len({_config_key(record) for record in confirm})
    num_ended = sum(record.state != "RUNNING" for record in confirm)
    if num_ended >= num_planned and all(record.state == "FAIL" for record in confirm):
        return True, f"no config chosen: all {num_ended} seeds failed"
    return False, f"choosing a config: {num_ended} of {num_planned} seeds ended"
