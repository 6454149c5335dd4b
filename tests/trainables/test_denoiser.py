import pytest
import torch

from tests.trainables.known_diffusion import LATENT
from trainables.diffusion.denoiser import noise_from_output, time_embedding

PREDICTIONS = ("epsilon", "x0", "v")


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_of_the_truth_is_the_noise(prediction: str) -> None:
    alpha, sigma = torch.full((20, 1), 0.6), torch.full((20, 1), 0.8)
    z_0, noise = torch.randn(20, LATENT), torch.randn(20, LATENT)
    truth = {"epsilon": noise, "x0": z_0, "v": alpha * noise - sigma * z_0}[prediction]
    found = noise_from_output(prediction, truth, alpha * z_0 + sigma * noise, alpha, sigma)
    torch.testing.assert_close(found, noise)


def test_times_are_embedded_apart() -> None:
    embedding = time_embedding(torch.arange(1001), 100)
    assert embedding.shape == (1001, 100)
    assert torch.cdist(embedding, embedding).fill_diagonal_(1).min() > 0.1
    torch.testing.assert_close(embedding.square().sum(-1), torch.full((1001,), 50.0))
