"""What the value of a FID depends on, beside the model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FIDProtocol:
    """What a value depends on beside the model; values of different protocols do not compare.

    Attributes:
        features: the extractor.
        weights_sha256: of its weights.
        image_size: in pixels, as handed to the extractor.
        resize: what the extractor does to that size itself.
        num_levels: of the quantised samples.
        quantisation: how samples come to these levels.
        num_samples: of the model.
        reference: validation or test.
        num_reference_images: in that split.
        reference_fingerprint: of the data set.
        kid_subset_size: images in each of the subsets that a KID averages over.
        kid_num_subsets: how many they are.
        neighbourhood: the k of precision and recall's k-th nearest neighbour.
        precision: of the features.
    """

    features: str
    weights_sha256: str
    image_size: int
    resize: str
    num_levels: int
    quantisation: str
    num_samples: int
    reference: str
    num_reference_images: int
    reference_fingerprint: str
    kid_subset_size: int
    kid_num_subsets: int
    neighbourhood: int
    precision: str = "float32"

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @property
    def hash(self) -> str:
        """SHA-256 of the fields, in hex."""
        return values_hash(self.as_dict())


def values_hash(values: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, in hex."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
