"""A study without training: learning curves through ledger and driver, in virtual time.

For questions of policy (who is stopped, who gets how many epochs, what a restart changes) a trial
is its learning curve. The FID of a config of family f after epoch t is

    fid(t) = (final_f + spread_f q) (1 + excess e^{-t / tau_f}) + noise_f ε + luck_f η,
    q ~ U(0, 1)

with q the config's own, drawn by its seed, ε standard normal, drawn by seed and epoch, and η
standard normal, drawn by config and seed, the same on the validation and the test part: what a
model owes to its seed it keeps. An epoch takes `seconds`. Within a family curves of one tau never
cross; with `crossing` each config's tau is multiplied by a factor from [1/2, 2], and what leads
early may lose.
"""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from search_spaces import Stratum, StudySpec
from study.driver import Driver
from study.ledger import Ledger, LedgerFacts
from trainables.config import TrialConfig
from trainables.measurement import Measurement
from trainables.seed import derive_seed
from trainables.suggestion import Suggestion

_WORKER = {"executable": "simulated", "host": "nowhere", "device": "none"}


@dataclass(frozen=True, slots=True)
class Family:
    """The learning curves of one prior.

    Attributes:
        final: FID of its best config after training; lower is better.
        spread: how much worse its worst config ends.
        tau: epochs in which the excess over the final FID falls to 1/e.
        excess: how many times its final FID a config has too much at the start.
        noise: standard deviation of one measured FID.
        seconds: virtual time of an epoch.
        crossing: whether configs differ in tau too.
        luck: standard deviation of a config's FID over training seeds.
    """

    final: float
    spread: float = 20.0
    tau: float = 5.0
    excess: float = 2.0
    noise: float = 0.0
    seconds: float = 1.0
    crossing: bool = False
    luck: float = 0.0

    def quality(self, seed: int) -> float:
        """The config's place in its family: 0 the best, 1 the worst."""
        return derive_seed(seed, "quality") / 2**32

    def fid(self, seed: int, epoch: int) -> float:
        """Measured FID of the config with this seed after an epoch; lower is better."""
        end = self.final + self.spread * self.quality(seed)
        place = 2 * derive_seed(seed, "tau") / 2**32 - 1
        tau = self.tau * 2**place if self.crossing else self.tau
        noise = random.Random(derive_seed(seed, "noise", epoch)).gauss(0, self.noise)
        return end * (1 + self.excess * math.exp(-epoch / tau)) + noise

    def chance(self, config: TrialConfig) -> float:
        """What a trained config owes to its seed, in FID; of mean 0."""
        seed = derive_seed(config.seed, "luck", config.optimizer.learning_rate)
        return random.Random(seed).gauss(0, self.luck)


# Shaped like CelebA's column of 40 latents in Table 1 of Wehenkel & Louppe 2021: the Gaussian is
# fast and worst, the flow slow and best, the diffusion slowest.
TABLE_1 = {
    "gaussian": Family(final=154.0, tau=3.0),
    "flow": Family(final=73.0, tau=12.0, excess=5.0, seconds=1.5),
    "diffusion": Family(final=115.0, tau=20.0, excess=5.0, seconds=2.0),
}


@dataclass(slots=True)
class Simulation:
    """Workers in virtual time.

    Attributes:
        driver: issues trials, and decides.
        families: the curves, by prior.
        num_workers: trials that run at once.
        now: virtual seconds since the start.
        epochs: epochs trained in the search, by stratum.
    """

    driver: Driver
    families: Mapping[str, Family]
    num_workers: int = 1
    now: float = 0.0
    epochs: Counter[Stratum] = field(default_factory=Counter)
    _queue: list[tuple[float, int, str, list[int]]] = field(default_factory=list)
    _ids: Iterable[int] = field(default_factory=itertools.count)

    def run(self, until: float = math.inf) -> LedgerFacts:
        """To the study's end, or to a time in seconds; what runs then is left under way."""
        self._fill()
        while self._queue and self._queue[0][0] <= until:
            self.now, _, name, epochs = heapq.heappop(self._queue)
            self._advance(name, epochs)
            self._fill()
        return self.driver.ledger.facts()

    def _fill(self) -> None:
        for number in self._ids:
            name = f"simulated-{number}"
            if len(self._queue) >= self.num_workers:
                return
            suggestion = self.driver.issue(name)
            if suggestion is None:
                return
            is_test = suggestion.phase == "test"
            epochs = [] if is_test else list(suggestion.config.evaluated_epochs)
            self._plan(name, suggestion, 0, epochs)

    def _plan(self, name: str, suggestion: Suggestion, epoch: int, epochs: list[int]) -> None:
        family = self.families[suggestion.config.prior.kind]
        length = (epochs[0] - epoch) if epochs else 1
        order = next(iter(self._ids))
        heapq.heappush(self._queue, (self.now + length * family.seconds, order, name, epochs))

    def _advance(self, name: str, epochs: list[int]) -> None:
        suggestion = self.driver.running[name]
        if not epochs:
            fid = self._fid(suggestion.config, suggestion.config.max_epochs)
            start = self._fid(suggestion.config, 0)
            test = {"test_fid": fid, "untrained_fid": start, "protocol": {"features": "simulated"}}
            self.driver.absorb(name, _result(test=test))
            return
        epoch, *rest = epochs
        measured = _measurement(epoch, self._fid(suggestion.config, epoch))
        stop = self.driver.absorb(name, _result(measured, done=not rest))
        if suggestion.phase == "search":
            before = [e for e in suggestion.config.evaluated_epochs if e < epoch]
            self.epochs[Stratum.parse(suggestion.stratum)] += epoch - max(before, default=0)
        if not stop:
            self._plan(name, suggestion, epoch, rest)

    def _fid(self, config: TrialConfig, epoch: int) -> float:
        family = self.families[config.prior.kind]
        return family.fid(config.seed, epoch) + family.chance(config)


def simulate(
    spec: StudySpec,
    families: Mapping[str, Family] = TABLE_1,
    *,
    num_workers: int = 1,
    url: str = "memory:",
) -> Simulation:
    """A whole study, simulated to its end."""
    simulation = Simulation(Driver(Ledger(spec, url)), families, num_workers)
    simulation.run()
    return simulation


def _result(
    *curve: Measurement, test: dict[str, object] | None = None, done: bool = False
) -> dict[str, object]:
    values = [measurement.as_dict() for measurement in curve]
    return {"curve": values, "test": test, "done": done, "worker": _WORKER}


def _measurement(epoch: int, fid: float) -> Measurement:
    return Measurement(
        epoch=epoch, rate=1.0, distortion=1.0, elbo=-2.0, bits_per_dim=1.0, train_rate=1.0,
        train_distortion=1.0, kl_weight=1.0, seconds=1.0, val_fid=fid, best_epoch=epoch,
    )  # fmt: skip
