"""Optuna's pruners by name, and their advice at a rung: the same again when asked again.

Once asked, a successive halving has stored the rung as passed, and says no from then on. A driver
that was killed between its answer and our record of it takes the answer from what was stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from search_spaces.budget import BudgetSpec
from search_spaces.search import (
    ASHASpec,
    HyperbandSpec,
    MedianSpec,
    NoPrunerSpec,
    Pruner,
)


def build_pruner(spec: Pruner, budget: BudgetSpec) -> BasePruner:
    """The pruner of that name, its rungs those of the budget."""
    match spec:
        case ASHASpec():
            return SuccessiveHalvingPruner(
                min_resource=budget.first_rung, reduction_factor=budget.reduction_factor
            )
        case HyperbandSpec():
            return HyperbandPruner(
                min_resource=budget.first_rung,
                max_resource=max(budget.first_rung, budget.max_epochs),
                reduction_factor=budget.reduction_factor,
            )
        case MedianSpec():
            return MedianPruner(n_startup_trials=budget.min_peers, n_min_trials=budget.min_peers)
        case NoPrunerSpec():
            return NopPruner()


@dataclass(frozen=True, slots=True, eq=False)
class Pruning:
    """The pruner of one stratum's search, with its study."""

    budget: BudgetSpec
    search: Study

    def __post_init__(self) -> None:
        # Until it is asked for the first time Hyperband counts all trials as one bracket, and
        # shows the sampler all of them: a driver that starts again would propose other configs.
        if isinstance(self.search.pruner, HyperbandPruner):
            self.search.pruner._try_initialization(self.search)

    def should_stop(self, trial: Trial, epoch: int) -> bool:
        """Whether a trial is to stop at a rung that it has just reported.

        Asked for control trials, too: without the call Optuna stores no value at the rung.
        """
        frozen = self.search.get_trials(deepcopy=False)[trial.number]
        peers = self._peers(frozen)
        advised = self._advice(trial, frozen, peers, epoch)
        num_there = sum(epoch in peer.intermediate_values for peer in peers) - 1
        is_control = trial.user_attrs.get("control", False)
        return advised and not is_control and num_there >= self.budget.min_peers

    def _advice(
        self, trial: Trial, frozen: FrozenTrial, peers: Sequence[FrozenTrial], epoch: int
    ) -> bool:
        # The first rung of a bracket is the budget's of the bracket's index.
        key = f"completed_rung_{self.budget.rungs.index(epoch) - self._bracket(frozen)}"
        own = frozen.system_attrs.get(key)
        if own is None:
            return bool(trial.should_prune())  # the median's answer is a number's of numpy
        values = sorted(peer.system_attrs[key] for peer in peers if key in peer.system_attrs)
        num_promoted = max(1, len(values) // self.budget.reduction_factor)
        return bool(own > values[num_promoted - 1])

    def _peers(self, frozen: FrozenTrial) -> Sequence[FrozenTrial]:
        """The trials that it is compared with, and itself."""
        trials = self.search.get_trials(deepcopy=False)
        bracket = self._bracket(frozen)
        return [trial for trial in trials if self._bracket(trial) == bracket]

    def _bracket(self, frozen: FrozenTrial) -> int:
        """Hyperband's bracket of a trial; other pruners have one for all."""
        pruner = self.search.pruner
        if not isinstance(pruner, HyperbandPruner):
            return 0
        return pruner._get_bracket_id(self.search, frozen)
