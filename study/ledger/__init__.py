"""The one truth about a study's trials, written before it is acted on; the door to Optuna."""

from study.ledger.facts import LedgerFacts, StratumFacts, TrialFacts
from study.ledger.ledger import Ledger, pruned_at

__all__ = ["Ledger", "LedgerFacts", "StratumFacts", "TrialFacts", "pruned_at"]
