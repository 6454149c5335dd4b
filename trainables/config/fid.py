"""How images are compared: a feature space, and how many samples stand for a model."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainables.config.base import Frozen, Slug
from trainables.config.data import ImageFormat
from trainables.error import InputError

CLASSIFIER_FEATURES = 32
INCEPTION_FEATURES = 2048


class FIDConfig(Frozen):
    """The feature space and the number of samples of a Fréchet distance.

    `features` is `classifier` (a small one, trained once on the train part of the data, or on
    that of `classifier_dataset`, for data without labels), `inception` (torch-fidelity's, needs
    its `weights`: a path, or `download`), or `pixels` (the levels themselves, for tiny images).
    With `num_classifiers` above 1 the test FID is measured again with the features of that many
    classifiers, trained from different seeds: how far the numbers depend on one of them.
    """

    features: Literal["classifier", "inception", "pixels"] = "classifier"
    num_samples: Annotated[int, Field(ge=2)] = 1000
    classifier_epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    classifier_dataset: Slug | None = None
    num_classifiers: Annotated[int, Field(ge=1, le=20)] = 1
    weights: str | None = None

    @model_validator(mode="after")
    def _only_a_classifier_has_seeds(self) -> "FIDConfig":
        if self.num_classifiers > 1 and self.features != "classifier":
            raise ValueError(
                "num_classifiers above 1 needs features: classifier, got"
                f" num_classifiers={self.num_classifiers} with features {self.features}"
            )
        return self

    def num_features(self, image: ImageFormat) -> int:
        """Dimensions of the feature space."""
        match self.features:
            case "classifier":
                return CLASSIFIER_FEATURES
            case "inception":
                return INCEPTION_FEATURES
            case "pixels":
                return image.num_dimensions


def check_num_images(fid: FIDConfig, image: ImageFormat, what: str, count: int) -> None:
    """Refuses a covariance without full rank.

    Args:
        fid: the feature space.
        image: what the images look like.
        what: who has the images, for the message.
        count: how many they are.

    Raises:
        InputError: they are no more than the features.
    """
    size = fid.num_features(image)
    if count > size:
        return
    is_wide = fid.features != "classifier"
    other = f", or use fid.features=classifier ({CLASSIFIER_FEATURES} features)" * is_wide
    raise InputError(
        f"a Fréchet distance needs more images than its {size} features on both sides, but"
        f" {what} has {count}: take at least {size + 1}{other}"
    )
