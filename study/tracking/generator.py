"""The code of a registered MLflow model: it is stored as this file, and no object is pickled.

It needs `trainables`, which travels beside it, and the packages that `registered_model` names.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from safetensors.torch import load_file

from trainables.config import TrialConfig
from trainables.plugin import load_plugins
from trainables.training.sampling import first_images
from trainables.vae import build_vae

WEIGHTS, CONFIG, PLUGIN = "weights", "config", "plugin"


class Generator(PythonModel):
    """Draws images from a VAE's prior."""

    def load_context(self, context: Any) -> None:
        """Builds the model from its config and weights."""
        files = {name: Path(path) for name, path in context.artifacts.items()}
        load_plugins(path for name, path in sorted(files.items()) if name.startswith(PLUGIN))
        self.config = TrialConfig.from_stored(json.loads(files[CONFIG].read_text()))
        self.model = build_vae(self.config)
        self.model.load_state_dict(load_file(files[WEIGHTS]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images in 0 … 255, uint8, N × height × width × channels.

        Args:
            context: MLflow's; not needed any more.
            model_input: one row with `num_samples` and `seed`; the same seed draws the same
                images, those of seed 0 are the first that the FID was measured on.
            params: none are known.
        """
        row = model_input.iloc[0]
        levels = first_images(self.model, int(row["num_samples"]), self.config, int(row["seed"]))
        top = self.config.data.format.num_levels - 1
        pixels = (levels.numpy().astype(np.float32) * (255 / top)).round().astype(np.uint8)
        return pixels.transpose(0, 2, 3, 1)


set_model(Generator())
