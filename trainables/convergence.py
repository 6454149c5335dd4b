"""When an importance-weighted estimate of log p(x) counts as converged. No torch here."""

LARGEST_RISE = 0.5
FEWEST_EFFECTIVE_SAMPLES = 5.0


def is_converged(estimate: float, at_a_tenth: float, effective_samples: float) -> bool:
    """Whether more samples would hardly change an estimate, which rises with their number.

    Args:
        estimate: with all K samples an image, nats per image.
        at_a_tenth: with K / 10 of them, nats per image.
        effective_samples: the median over images of (Σ w)² / Σ w², at most K.

    >>> is_converged(-14.2, -14.5, 31.0), is_converged(-14.2, -15.0, 31.0)
    (True, False)
    """
    has_risen = abs(estimate - at_a_tenth) > LARGEST_RISE
    return not has_risen and effective_samples >= FEWEST_EFFECTIVE_SAMPLES
