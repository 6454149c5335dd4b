"""Statistics and features of references on disk, each under the hash of its protocol."""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from trainables.error import InputError
from trainables.fid.distance import FeatureStatistics
from trainables.file import write_atomically
from trainables.protocol import FIDProtocol


class ReferenceCache:
    """Files in a folder; without a folder it keeps nothing and finds nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Takes the folder, which exists."""
        self._folder = folder

    def statistics(self, protocol: FIDProtocol) -> FeatureStatistics | None:
        """Those of a protocol's reference, if they were kept.

        Raises:
            InputError: the file is damaged.
        """
        values = self._load("statistics", protocol, "mean", "covariance", "num_samples")
        if values is None:
            return None
        mean, covariance, num_samples = values
        return FeatureStatistics(mean, covariance, int(num_samples.item()))

    def features(self, protocol: FIDProtocol) -> Float[Tensor, "num features"] | None:
        """The features of a protocol's reference, if they were kept.

        Raises:
            InputError: the file is damaged.
        """
        values = self._load("features", protocol, "features")
        return None if values is None else values[0]

    def keep_statistics(self, statistics: FeatureStatistics, protocol: FIDProtocol) -> None:
        """Writes the statistics, whole or not at all."""
        values = {
            "mean": statistics.mean,
            "covariance": statistics.covariance.contiguous(),
            "num_samples": torch.tensor(statistics.num_samples),
        }
        self._save("statistics", protocol, values)

    def keep_features(
        self, features: Float[Tensor, "num features"], protocol: FIDProtocol
    ) -> None:
        """Writes the features, whole or not at all."""
        self._save("features", protocol, {"features": features.contiguous()})

    def _save(self, kind: str, protocol: FIDProtocol, values: dict[str, Tensor]) -> None:
        path = self._path(kind, protocol)
        if path is not None:
            write_atomically(path, save(values))

    def _load(self, kind: str, protocol: FIDProtocol, *names: str) -> list[Tensor] | None:
        path = self._path(kind, protocol)
        if path is None or not path.is_file():
            return None
        try:
            values = load_file(path)
            return [values[name] for name in names]
        except (SafetensorError, KeyError) as error:
            raise InputError(f"{path} is damaged; remove it and it is computed again") from error

    def _path(self, kind: str, protocol: FIDProtocol) -> Path | None:
        name = f"{kind}-{protocol.hash[:16]}.safetensors"
        return self._folder / name if self._folder else None
