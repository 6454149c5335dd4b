"""How closely the evidence log p(x) is estimated at the test phase, as plain values."""

from typing import Annotated

from pydantic import Field, PositiveInt

from trainables.config.base import Frozen


class EvidenceConfig(Frozen):
    """An importance-weighted estimate of log p(x) (Burda et al. 2016, arXiv 1509.00519).

    `num_samples` draws from each image's posterior (K; a multiple of 10, as the estimate is also
    made at K / 10), for the first `num_images` of the test split; 0 leaves it out.
    """

    num_samples: Annotated[PositiveInt, Field(multiple_of=10, le=100_000)] = 100
    num_images: Annotated[int, Field(ge=0)] = 100
