"""What strata are compared with: one ASHA over all families, on the same simulated curves."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import optuna

from search_spaces import StudySpec, load_space
from study.ledger import LedgerFacts
from tests.simulation import Family, simulate
from trainables.seed import derive_seed

NUM_TRIALS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated search: epochs by family, and whose best config ran to its end."""

    epochs: Mapping[str, int]
    survivors: frozenset[str]

    @property
    def gap(self) -> int:
        """Epochs of the family with the most, less those of the one with the fewest."""
        return max(self.epochs.values()) - min(self.epochs.values())

    @property
    def gap_share(self) -> float:
        """The gap as a share of all epochs: one ASHA stops far more, so it spends far less."""
        return self.gap / sum(self.epochs.values())


def question(seed: int, families: Mapping[str, Family]) -> StudySpec:
    """60 trials, shared equally by the families, with the lengths and rungs of `table1`."""
    budget = load_space("table1").budget.model_dump(exclude={"trials_per_stratum"})
    lengths = [f"budget.{name}={value}" for name, value in budget.items()]
    return load_space("digits", [
        "strata.latent_size=8", f"seed={seed}", f"strata.prior={','.join(families)}",
        f"budget.trials_per_stratum={NUM_TRIALS // len(families)}", "confirm.num_seeds=1",
        "search.sampler.kind=random", *lengths,
    ])  # fmt: skip


def by_strata(seed: int, families: Mapping[str, Family]) -> Outcome:
    """The search as the ledger runs it: an ASHA for each family."""
    simulation = simulate(question(seed, families), families)
    epochs = {stratum.prior: count for stratum, count in simulation.epochs.items()}
    facts = simulation.driver.ledger.facts()
    return Outcome(epochs, frozenset(p for p in families if best_survives(facts, families, p)))


def best_survives(facts: LedgerFacts, families: Mapping[str, Family], prior: str) -> bool:
    """Whether the config that ends best of a family's search ran to its end."""
    own = [t for t in facts.trials if t.phase == "search" and t.stratum.prior == prior]
    best = min(own, key=lambda trial: families[prior].quality(trial.config["seed"]))
    return best.state == "COMPLETE"


def shared(seed: int, families: Mapping[str, Family]) -> Outcome:
    """The same search with one ASHA over all families, which come in turn."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    budget = question(seed, families).budget
    pruner = optuna.pruners.SuccessiveHalvingPruner(
        min_resource=budget.first_rung, reduction_factor=budget.reduction_factor
    )
    study = optuna.create_study(pruner=pruner)
    epochs: Counter[str] = Counter()
    ended: dict[str, list[tuple[float, bool]]] = {prior: [] for prior in families}
    for number in range(NUM_TRIALS):
        prior = list(families)[number % len(families)]
        trial_seed = derive_seed(seed, "shared", number)
        trial, stopped = study.ask(), False
        for epoch in (*budget.rungs, budget.max_epochs):
            trial.report(families[prior].fid(trial_seed, epoch), epoch)
            stopped = epoch < budget.max_epochs and trial.should_prune()
            if stopped:
                break
        state = optuna.trial.TrialState.PRUNED if stopped else optuna.trial.TrialState.COMPLETE
        study.tell(trial, None if stopped else 0.0, state=state)
        epochs[prior] += epoch
        ended[prior].append((families[prior].quality(trial_seed), not stopped))
    return Outcome(epochs, frozenset(prior for prior in families if min(ended[prior])[1]))
