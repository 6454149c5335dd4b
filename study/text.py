"""Numbers as people read them."""

from typing import Any

MISSING = "–"


def fid_text(value: float | None, standard_deviation: float | None = None) -> str:
    """A Fréchet distance, with its standard deviation where there is one.

    >>> fid_text(24.104, 0.83)
    '24.10 ± 0.83'
    >>> fid_text(399.96)
    '400.0'
    """
    if value is None:
        return MISSING
    decimals = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    text = f"{value:.{decimals}f}"
    return text if standard_deviation is None else f"{text} ± {standard_deviation:.{decimals}f}"


def seeded_fid_text(
    value: float | None, standard_deviation: float | None, num_seeds: int, num_failed: int
) -> str:
    """A test FID, with how many seeds it is of where others ended without one.

    >>> seeded_fid_text(24.104, 0.83, 3, 0), seeded_fid_text(24.104, 0.83, 2, 1)
    ('24.10 ± 0.83', '24.10 ± 0.83 (2 of 3 seeds)')
    """
    text = fid_text(value, standard_deviation)
    return f"{text} ({num_seeds} of {num_seeds + num_failed} seeds)" if num_failed else text


def nats_text(value: float | None, standard_deviation: float | None = None) -> str:
    """A bound in nats per image, with a real minus sign.

    >>> nats_text(-14.52, 0.1)
    '−14.52 ± 0.10'
    """
    if value is None:
        return MISSING
    text = _minus(f"{value:.2f}")
    return text if standard_deviation is None else f"{text} ± {standard_deviation:.2f}"


def signed_text(value: float | None) -> str:
    """A difference of two Fréchet distances, with its sign.

    >>> signed_text(3.456), signed_text(-1.2), signed_text(None)
    ('+3.46', '−1.20', '–')
    """
    return MISSING if value is None else _minus(f"{value:+.2f}")


def interval_text(low: float | None, high: float | None, signed: bool = False) -> str:
    """An interval; signed where it is one of a difference.

    >>> interval_text(21.5, 24), interval_text(-1.2, 3.4, signed=True)
    ('21.50 … 24.00', '−1.20 … +3.40')
    """
    if low is None or high is None:
        return MISSING
    return _minus(f"{low:+.2f} … {high:+.2f}" if signed else f"{low:.2f} … {high:.2f}")


def _minus(text: str) -> str:
    """Hyphens become real minus signs, as wide as a plus."""
    return text.replace("-", "−")


def share_text(value: float | None) -> str:
    """A share of a whole.

    >>> share_text(0.125), share_text(None)
    ('12%', '–')
    """
    return MISSING if value is None else f"{value:.0%}"


def count_text(count: int | None) -> str:
    """A count with its thousands apart.

    >>> count_text(1234567), count_text(None)
    ('1,234,567', '–')
    """
    return MISSING if count is None else f"{count:,}"


def duration_text(seconds: float | None) -> str:
    """Seconds in the two largest units that matter.

    >>> duration_text(42.4), duration_text(200), duration_text(7500)
    ('42 s', '3 min 20 s', '2 h 05 min')
    """
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def value_text(value: Any) -> str:
    """Any field of a config or a protocol; long fingerprints are cut.

    >>> value_text(0.00123456), value_text(None), value_text(True)
    ('0.001235', '–', 'yes')
    """
    match value:
        case None:
            return MISSING
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str() if len(value) > 32 and value.isalnum():
            return f"{value[:12]}…"
    return str(value)
