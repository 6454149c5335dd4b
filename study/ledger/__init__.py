"""The one truth about a study's trials, written before it is acted on; the door to Optuna."""

from typing import TYPE_CHECKING, Any

from trainables.face import attribute

if TYPE_CHECKING:
    from study.ledger.ending import Ended as Ended
    from study.ledger.ending import Ending as Ending
    from study.ledger.facts import LedgerFacts as LedgerFacts
    from study.ledger.facts import StratumFacts as StratumFacts
    from study.ledger.facts import TrialFacts as TrialFacts
    from study.ledger.issue import pruned_at as pruned_at
    from study.ledger.ledger import Ledger as Ledger

__all__ = ["Ended", "Ending", "Ledger", "LedgerFacts", "StratumFacts", "TrialFacts", "pruned_at"]

_HOMES = {
    "Ended": "ending", "Ending": "ending", "Ledger": "ledger", "LedgerFacts": "facts",
    "StratumFacts": "facts", "TrialFacts": "facts", "pruned_at": "issue",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The ledger loads Optuna, which its plain values do not need."""
    return attribute(__name__, name, _HOMES)
