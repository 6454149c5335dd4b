"""Diffusions of a space that end before all is noise, told to a person before anything runs."""

from search_spaces import Stratum, StudySpec
from trainables.beta_schedule import build_beta_schedule
from trainables.config import DiffusionPriorConfig


def chain_notes(spec: StudySpec) -> list[str]:
    """A sentence for each config whose chain still holds a signal at its end.

    The bound counts what is left there (L_T), so this is a warning, not an error.
    """
    strata = {stratum.prior: stratum for stratum in spec.cells()}
    notes = [note for stratum in strata.values() for note in _notes(spec, stratum)]
    return list(dict.fromkeys(notes))


def _notes(spec: StudySpec, stratum: Stratum) -> list[str]:
    notes = []
    for name, overrides in (spec.variants_of(stratum) or {"": {}}).items():
        prior = spec.trial_config(stratum, overrides).prior
        if not isinstance(prior, DiffusionPriorConfig):
            continue
        schedule = build_beta_schedule(prior.beta_schedule)
        if not schedule.ends_in_noise:
            where = f"variant {name}" if name else stratum.prior
            notes.append(
                f"{where}: after {schedule.num_steps} steps {schedule.end_signal:.0%} of the"
                " latents' variance is left, so samples begin from noise that training never saw;"
                " the bound counts it (L_T)"
            )
    return notes
