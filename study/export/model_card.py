"""What a person reads beside an exported model: what it is, what it reached, how to use it."""

from collections.abc import Iterable, Mapping
from typing import Any

from study.export.export import Export
from study.text import fid_text, value_text

_HEADERS = ("seed", "test_fid", "val_fid", "aggregate_fid", "reconstruction_fid", "best_elbo")
_NAMES = {
    "test_fid": "test FID ↓", "val_fid": "validation FID ↓", "aggregate_fid": "aggregate FID ↓",
    "reconstruction_fid": "reconstruction FID ↓", "best_elbo": "ELBO ↑ (nats per image)",
}  # fmt: skip
_SELECTED = {
    "fid": "the lowest mean validation FID", "elbo": "the highest mean validation ELBO",
}  # fmt: skip


def model_card(export: Export, file_name: str) -> str:
    """The card of one stratum's answer, as Markdown.

    Args:
        export: what its file promises.
        file_name: of that file, which lies beside the card.
    """
    parts = [
        f"# {export.title}",
        f"The VAE that stands for `{export.title}` in the study `{export.study}`: the config with"
        f" {_SELECTED[export.selection]}, trained with fresh seeds and looked at once on the test"
        " split.",
        *([f"![samples]({export.samples})"] if export.samples else []),
        *(f"Tested after another config of its stratum, because: {why}" for why in export.retests),
        f"## Result\n\n{_result(export)}",
        _table(_seed_rows(export)),
        f"## Use\n\n```\nstudy reproduce {file_name}\nstudy sample {file_name} --out grid.png\n"
        "```\n\n`reproduce` trains every seed again and compares; `sample` draws from the weights"
        f" of the seed with the best validation FID ({export.weights or 'none were kept'}).",
        f"## Config\n\n{_table(_rows('field', flat(export.config.model_dump(mode='json'))))}",
        f"## FID protocol\n\n{_table(_rows('field', export.protocol.items()))}",
        f"## Environment\n\n{_table(_rows('what', flat(export.environment)))}",
        *([f"Parts of the study ran elsewhere: {_listed(export)}."] if export.elsewhere else []),
        "## Limits\n\nFIDs of other protocols do not compare with these. The seeds vary the"
        " training, not the data or the config, so ± says nothing on another split.",
    ]
    return "\n\n".join(parts) + "\n"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested values by dotted name, those that are not set left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _result(export: Export) -> str:
    fid = fid_text(export.mean, export.standard_deviation)
    if export.interval is None:
        return f"Test FID {fid}; one seed has no interval."
    low, high = map(fid_text, export.interval)
    return (
        f"Test FID {fid} (mean ± standard deviation over {len(export.seeds)} seeds; 95 % interval"
        f" of the mean {low} to {high}); lower is better."
    )


def _seed_rows(export: Export) -> list[tuple[str, ...]]:
    promises = export.promises()
    names = [name for name in _HEADERS[1:] if name in promises[0]]
    rows = [("seed", *(_NAMES[name] for name in names))]
    for seed, promise in zip(export.seeds, promises, strict=True):
        rows.append((str(seed), *(repr(promise[name]) for name in names)))
    return rows


def _rows(header: str, values: Iterable[tuple[str, Any]]) -> list[tuple[str, ...]]:
    return [(header, "value"), *((name, _cell(value)) for name, value in values)]


def _cell(value: Any) -> str:
    """In full, unlike in a report: a card is what a result is cited by."""
    text = str(value) if isinstance(value, float | str) else value_text(value)
    return text.replace("|", "/")


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [rows[0], ("---",) * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(export: Export) -> str:
    return "; ".join(export.elsewhere)
