"""How much a study may spend: trials and epochs, seeds, and what one trial takes of a machine."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from search_spaces.listed import AS_LIST
from trainables.config import Fraction, Frozen


class BudgetSpec(Frozen):
    """How much each stratum may spend in the search, and where weak trials are stopped.

    Rungs lie at `first_rung` times powers of `reduction_factor`; at each, the pruner of `search`
    decides who goes on, once `min_peers` other trials have passed it. `control_share` of the
    trials, at least one, are never stopped.
    """

    trials_per_stratum: Annotated[int, Field(ge=0)]
    max_epochs: PositiveInt
    first_rung: PositiveInt = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 2
    min_peers: Annotated[int, Field(ge=1)] = 3
    control_share: Fraction = 0.1

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs with a FID and a decision; the last epoch is none of them."""
        powers = (self.first_rung * self.reduction_factor**k for k in itertools.count())
        return tuple(itertools.takewhile(lambda epoch: epoch < self.max_epochs, powers))


Criterion = Literal["fid", "elbo"]


class ConfirmSpec(Frozen):
    """How the best configs of each stratum are trained again, without pruning.

    Each criterion of `by` has the best `num_configs` of the search as its candidates and chooses
    one: `fid` by validation FID, `elbo` by the best validation ELBO, each as a mean over seeds. A
    table shows the choice of the first criterion. `num_seeds` seeds of a chosen config are
    tested; with several candidates, as many seeds of each are trained before to choose by.
    """

    num_configs: PositiveInt = 1
    num_seeds: PositiveInt = 3
    max_epochs: PositiveInt | None = None
    by: Annotated[tuple[Criterion, ...], *AS_LIST] = ("fid",)


class ResourcesSpec(Frozen):
    """What one trial takes of a machine; `cpus` is its number of threads, too.

    A trial from which nothing came for `stuck_seconds` is killed; its longest epoch, with its
    FID, needs to be shorter. A crash costs a trial at most `checkpoint_minutes` of its training.
    """

    cpus: PositiveInt = 1
    gpus: Annotated[float, Field(ge=0)] = 0
    stuck_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600
    checkpoint_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
