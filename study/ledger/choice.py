"""What a ledger holds of a stratum's confirm phase: candidates, and which of them stand for it.

It lies in the attributes of the stratum's confirm study and of its trials:

    pools/<budget>        the candidates of each criterion, and how many seeds of each choose
    candidates/<budget>   their overrides by key; written after the pools
    chosen/<budget>       what each criterion chose
    slot                  of a trial: the candidate and the replicate that it fills

`budget` is the number of search trials that they were made from. Ledgers of revision 1 have no
pools: there the seeds that chose a config are those that are tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

CANDIDATES, POOLS, CHOSEN = "candidates/", "pools/", "chosen/"
BEST_ELBO = "best_elbo"  # of a trial: what the criterion elbo compares
FRESH = "fresh"
Attributes = Mapping[str, Any]


class Slot(NamedTuple):
    """One seed of one candidate, which a confirm trial fills.

    Attributes:
        key: the candidate's.
        replicate: from 0; candidates share the seed of a replicate.
        is_fresh: whether the seed has no part in the choice and is trained to be tested.
    """

    key: str
    replicate: int
    is_fresh: bool = False

    @classmethod
    def of(cls, attributes: Attributes) -> Self | None:
        """That of a trial with these attributes; None where it was killed before it had one."""
        slot = attributes.get("slot")
        return cls(slot[0], slot[1], FRESH in slot[2:]) if slot else None

    def stored(self) -> list[str | int]:
        """As plain values; a slot that is not fresh looks as it did in revision 1."""
        return [self.key, self.replicate, *([FRESH] if self.is_fresh else [])]


class Pick(NamedTuple):
    """A config that was chosen.

    Attributes:
        key: the candidate's.
        is_fresh: whether fresh seeds of it are tested; else those that it was confirmed with.
    """

    key: str
    is_fresh: bool = False

    @classmethod
    def read(cls, values: list[str]) -> Self:
        """The inverse of `stored`."""
        return cls(values[0], FRESH in values[1:])

    def stored(self) -> list[str]:
        """As plain values."""
        return [self.key, *([FRESH] if self.is_fresh else [])]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The configs that are confirmed.

    Attributes:
        configs: overrides by key.
        pools: keys by the criterion that chooses among them; empty in revision 1 and for
            variants.
        num_seeds: seeds of each that choose, where there are pools.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, list[str]] = field(default_factory=dict)
    num_seeds: int = 0

    @classmethod
    def at(cls, attributes: Attributes, budget: int) -> Self | None:
        """Those of a budget of trials; None where there are none."""
        configs = attributes.get(f"{CANDIDATES}{budget}")
        if configs is None:
            return None
        pools = attributes.get(f"{POOLS}{budget}", {})
        return cls(dict(configs), pools.get("by", {}), pools.get("num_seeds", 0))

    @classmethod
    def latest(cls, attributes: Attributes) -> Self:
        """Those of the largest budget; empty without any."""
        budget = _largest_budget(attributes, CANDIDATES)
        found = None if budget is None else cls.at(attributes, budget)
        return found or cls()

    @property
    def is_contest(self) -> bool:
        """Whether seeds decide between configs, so that they cannot be the result, too."""
        return any(len(pool) > 1 for pool in self.pools.values())

    def criteria_of(self, slot: Slot) -> tuple[str, ...]:
        """The criteria whose choice is certain to be this seed's config before it is made."""
        if self.is_contest:
            return ()
        return tuple(criterion for criterion, pool in self.pools.items() if slot.key in pool)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidates stand for a stratum.

    Attributes:
        keys: of the configs that are tested.
        num_seeds: seeds of each candidate that the choice was made with.
        by: what each criterion chose; empty for variants, and where an earlier version chose.
        retests: why another config was tested after one had been; empty where none was.
        retested: the criteria for which that was done.
    """

    keys: tuple[str, ...]
    num_seeds: int
    by: dict[str, Pick] = field(default_factory=dict)
    retests: tuple[str, ...] = ()
    retested: tuple[str, ...] = ()

    @classmethod
    def at(cls, attributes: Attributes, budget: int) -> Self | None:
        """That of a budget of trials; None before it is made."""
        values = attributes.get(f"{CHOSEN}{budget}")
        if values is None:
            return None
        by = {criterion: Pick.read(pick) for criterion, pick in values.get("by", {}).items()}
        retests = tuple(values.get("retests", ()))
        retested = values.get("retested", by if retests else ())
        return cls(tuple(values["keys"]), values["num_seeds"], by, retests, tuple(retested))

    @classmethod
    def latest(cls, attributes: Attributes) -> Self | None:
        """That of the largest budget; None without any."""
        budget = _largest_budget(attributes, CHOSEN)
        return None if budget is None else cls.at(attributes, budget)

    def stored(self) -> dict[str, Any]:
        """As plain values."""
        again = {"retests": list(self.retests), "retested": list(self.retested)}
        by = {criterion: pick.stored() for criterion, pick in self.by.items()}
        return {
            "keys": list(self.keys), "num_seeds": self.num_seeds,
            **({"by": by} if by else {}), **(again if self.retests else {}),
        }  # fmt: skip

    @property
    def picks(self) -> tuple[Pick, ...]:
        """The configs that are tested, each once."""
        return tuple(dict.fromkeys(self.by.values() or map(Pick, self.keys)))

    def criteria_of(self, slot: Slot) -> tuple[str, ...]:
        """The criteria whose result this seed is part of."""
        own = Pick(slot.key, slot.is_fresh)
        return tuple(criterion for criterion, pick in self.by.items() if pick == own)

    def is_tested(self, slot: Slot) -> bool:
        """Whether this seed is looked at on the test split."""
        return Pick(slot.key, slot.is_fresh) in self.picks


def _largest_budget(attributes: Attributes, kind: str) -> int | None:
    return max((int(k.removeprefix(kind)) for k in attributes if k.startswith(kind)), default=None)
