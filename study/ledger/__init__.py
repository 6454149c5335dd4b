"""The one truth about a study's trials, written before it is acted on; the door to Optuna."""

from study.ledger.ending import Ended, Ending
from study.ledger.facts import LedgerFacts, StratumFacts, TrialFacts
from study.ledger.issue import pruned_at
from study.ledger.ledger import Ledger

__all__ = ["Ended", "Ending", "Ledger", "LedgerFacts", "StratumFacts", "TrialFacts", "pruned_at"]
