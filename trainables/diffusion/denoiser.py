"""The network of a diffusion, and what its output says of the noise in z_t.

    z_t = alpha_t z_0 + sigma_t ε,   alpha_t = √ᾱ_t,   sigma_t = √(1 - ᾱ_t)
    epsilon   output ≈ ε                                      ε̂ = output
    x0        output ≈ z_0                                    ε̂ = (z_t - alpha_t output) / sigma_t
    v         output ≈ alpha_t ε - sigma_t z_0                ε̂ = sigma_t z_t + alpha_t output

ε: Ho et al. 2020, arXiv 2006.11239; v: Salimans & Ho 2022, arXiv 2202.00512. t enters as half
cosines, half sines (Vaswani et al. 2017, arXiv 1706.03762).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from trainables.config import DiffusionPriorConfig

LONGEST_PERIOD = 1e4


class Denoiser(nn.Module):
    """An MLP, or residual blocks, that see z_t beside an embedding of t."""

    embedding: Float[Tensor, "times embedding"]

    def __init__(self, config: DiffusionPriorConfig, latent_size: int, num_times: int) -> None:
        """`num_layers` hidden layers or blocks; a learned variance doubles the outputs."""
        super().__init__()
        embedding = time_embedding(torch.arange(num_times + 1), config.time_embedding_size)
        self.register_buffer("embedding", embedding, persistent=False)
        width = latent_size + config.time_embedding_size
        num_outputs = 2 * latent_size if config.variance == "learned" else latent_size
        stack = _mlp if config.network == "mlp" else _residual_stack
        self.layers = stack(width, config.hidden_size, config.num_layers, num_outputs)

    def forward(
        self, z_t: Float[Tensor, "*shape latent"], t: Int[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape outputs"]:
        """The prediction, then what says where a learned variance lies between its ends."""
        output: Tensor = self.layers(torch.cat([z_t, self.embedding[t]], dim=-1))
        return output


class ResidualBlock(nn.Module):
    """h + f(h), where f is a layer norm and an MLP of one hidden layer."""

    def __init__(self, width: int) -> None:
        """`width` numbers in, inside and out."""
        super().__init__()
        self.change = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, h: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        """The input and what the block changes of it."""
        changed: Tensor = h + self.change(h)
        return changed


def time_embedding(t: Int[Tensor, " times"], size: int) -> Float[Tensor, "times embedding"]:
    """Half cosines, half sines of t; angular periods from 1 towards 1e4."""
    share = torch.arange(size // 2, dtype=torch.float64) / (size // 2)
    angles = t[:, None] * LONGEST_PERIOD**-share
    return torch.cat([angles.cos(), angles.sin()], dim=-1).float()


def noise_from_output(
    prediction: str,
    output: Float[Tensor, "*shape latent"],
    z_t: Float[Tensor, "*shape latent"],
    alpha_t: Float[Tensor, "*shape 1"],
    sigma_t: Float[Tensor, "*shape 1"],
) -> Float[Tensor, "*shape latent"]:
    """ε̂, of unit variance where z_t is nothing but noise."""
    match prediction:
        case "x0":
            return (z_t - alpha_t * output) / sigma_t
        case "v":
            return sigma_t * z_t + alpha_t * output
        case _:
            return output


def _mlp(width: int, hidden_size: int, num_layers: int, num_outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(num_layers):
        layers += [nn.Linear(width, hidden_size), nn.SiLU()]
        width = hidden_size
    return nn.Sequential(*layers, nn.Linear(width, num_outputs))


def _residual_stack(
    width: int, hidden_size: int, num_layers: int, num_outputs: int
) -> nn.Sequential:
    blocks = [ResidualBlock(hidden_size) for _ in range(num_layers)]
    return nn.Sequential(
        nn.Linear(width, hidden_size), *blocks, nn.SiLU(), nn.Linear(hidden_size, num_outputs)
    )
