"""The plan of a preparation as a person reads it, before the work."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainables.count import plural
from trainables.data.plan import Plan
from trainables.sources import LeftOut

# So many names of classes, or sizes of images, are told one by one.
FEW = 10


def tell_plan(plan: Plan, console: Console) -> None:
    """Prints what was understood, what will be done, and what is lost on the way."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in plan_facts(plan):
        table.add_row(name, Text(text))
    console.print(f"plan for {plan.name}", markup=False, emoji=False)
    console.print(table)
    for word, texts in (("note", plan.notes()), ("warning", plan.warnings())):
        for text in texts:
            console.print(Text.assemble((word, "yellow"), f": {text}"), soft_wrap=True)


def plan_facts(plan: Plan) -> Iterator[tuple[str, str]]:
    """Name and text of every fact of a plan."""
    reading, survey, image = plan.reading, plan.survey, plan.format
    yield "images", f"{survey.num:,}"
    for left in reading.left_out:
        yield "passed over" if left.is_system else "left out", left_out_text(left)
    if reading.used:
        yield "read for it", ", ".join(reading.used)
    yield "rules", "\n".join(reading.rules) or "the official splits"
    if plan.draw.rules:
        yield "cut", "\n".join(plan.draw.rules)
    yield "splits", ", ".join(f"{split} {num:,}" for split, num in plan.draw.counts.items())
    yield "classes", _classes_text(plan)
    if reading.groups is not None:
        yield "groups", f"{len(set(reading.groups)):,}, none parted by a cut"
    yield "they are", f"{_sizes_text(plan)}, {_modes_text(plan)}"
    low, high = survey.levels
    yield "levels", f"{low} to {high}, in {plural(survey.num_decoded, 'image')} looked at"
    yield (
        "they become",
        f"{image.channels}×{image.size}×{image.size} of {image.num_levels} levels"
        + (", each pixel as it is" if plan.crop is None else ""),
    )
    if plan.conversions():
        yield "converted", "\n".join(plan.conversions())


def left_out_text(left: LeftOut) -> str:
    """How many files are not taken, why, and one of them."""
    return f"{plural(left.num, 'file')}: {left.reason}, such as {left.example}"


def _classes_text(plan: Plan) -> str:
    labels, names = plan.reading.labels, plan.reading.classes
    if labels is None:
        return "as the images say"
    kept, counts = np.unique(labels[labels >= 0], return_counts=True)
    num_without = int((labels < 0).sum())
    if not len(kept):
        return "none"
    told = f"{len(kept):,}"
    if names:
        shown = ", ".join(names[:FEW])
        told += f": {shown}" + (f" and {len(names) - FEW:,} more" if len(names) > FEW else "")
    least, most = int(counts.min()), int(counts.max())
    told += f"; {least:,}{'' if least == most else f' to {most:,}'} images each"
    return told + (f"; {plural(num_without, 'image')} without a class" if num_without else "")


def _sizes_text(plan: Plan) -> str:
    sizes = plan.survey.sizes
    if len(sizes) <= 3:
        return ", ".join(
            f"{width}×{height}" + (f" ({num:,})" if len(sizes) > 1 else "")
            for (width, height), num in sizes.most_common()
        )
    widths, heights = zip(*sizes, strict=True)
    return (
        f"{len(sizes):,} sizes, {min(widths)} to {max(widths)} wide and {min(heights)} to"
        f" {max(heights)} high"
    )


def _modes_text(plan: Plan) -> str:
    modes = plan.survey.modes
    return ", ".join(
        f"{MODES.get(mode, mode)}" + (f" ({num:,})" if len(modes) > 1 else "")
        for mode, num in modes.most_common()
    )


MODES = {
    "1": "black and white", "L": "grey", "LA": "grey with alpha", "P": "palette",
    "RGB": "colour", "RGBA": "colour with alpha",
}  # fmt: skip
