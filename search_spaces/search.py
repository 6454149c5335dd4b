"""How the search draws and stops trials: a sampler and a pruner, by name."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from trainables.config import Frozen

_NumStartup = Annotated[int, Field(ge=1)] | None


class TPESpec(Frozen):
    """Tree-structured Parzen estimators, jointly over all fields (Bergstra et al. 2011).

    `num_startup` trials are drawn at random first: a quarter of the stratum's, 2 to 10, unless
    said. Of `num_candidates` draws the most promising is taken.
    """

    kind: Literal["tpe"]
    num_startup: _NumStartup = None
    num_candidates: PositiveInt = 24


class RandomSpec(Frozen):
    """Every trial drawn anew from the domains, whatever was found."""

    kind: Literal["random"]


class GPSpec(Frozen):
    """A Gaussian process with expected improvement; `num_startup` as for TPE.

    `is_noiseless` says that the same config always has the same FID.
    """

    kind: Literal["gp"]
    num_startup: _NumStartup = None
    is_noiseless: bool = False


class ASHASpec(Frozen):
    """At each rung about one trial in `budget.reduction_factor` goes on (Li et al. 2020)."""

    kind: Literal["asha"]


class HyperbandSpec(Frozen):
    """ASHA in brackets that begin at later and later rungs (Li et al. 2018).

    Which bracket a trial belongs to follows from its number; it is judged, and its proposals are
    drawn, by its bracket alone.
    """

    kind: Literal["hyperband"]


class MedianSpec(Frozen):
    """A trial stops where its best value so far is worse than the others' median at this rung.

    Compared are COMPLETE trials only, from `budget.min_peers` of them on.
    """

    kind: Literal["median"]


class NoPrunerSpec(Frozen):
    """Every trial runs to its full length."""

    kind: Literal["none"]


Sampler = Annotated[TPESpec | RandomSpec | GPSpec, Field(discriminator="kind")]
Pruner = Annotated[
    ASHASpec | HyperbandSpec | MedianSpec | NoPrunerSpec, Field(discriminator="kind")
]


class SearchSpec(Frozen):
    """Sampler and pruner of every stratum's search, and how often it is repeated.

    A repeat searches, confirms and tests anew, with seeds of its own: the luck of the search.

    Whatever the pruner, it is asked at the rungs alone, nothing is stopped before
    `budget.min_peers` others have passed there, and control trials are never stopped.
    """

    sampler: Sampler = TPESpec(kind="tpe")
    pruner: Pruner = ASHASpec(kind="asha")
    num_repeats: PositiveInt = 1
