"""Distances between sets of images, with the protocol that makes two of them comparable.

The door to torch-fidelity, whose own cache is not used: its key is a name alone.
"""

from trainables.fid.distance import FeatureStatistics, feature_statistics, frechet_distance
from trainables.fid.evaluator import FIDEvaluator, SampleScores, build_fid_evaluator
from trainables.fid.extractor import LabelledImages, find_classifier
from trainables.fid.inception import INCEPTION_FILE, INCEPTION_VARIABLE, inception_weights
from trainables.protocol import FIDProtocol

__all__ = [
    "INCEPTION_FILE",
    "INCEPTION_VARIABLE",
    "FIDEvaluator",
    "FIDProtocol",
    "FeatureStatistics",
    "LabelledImages",
    "SampleScores",
    "build_fid_evaluator",
    "feature_statistics",
    "find_classifier",
    "frechet_distance",
    "inception_weights",
]
