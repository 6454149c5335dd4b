"""From features of an image to q(z|x)."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

SCALE_FLOOR = 1e-4


class Encoder(nn.Module):
    """From an image to the loc and scale of q(z|x)."""

    def __init__(
        self,
        features: nn.Module,
        num_features: int,
        latent_size: int,
        *,
        has_exponential_scale: bool = False,
    ) -> None:
        """A linear head on features.

        Args:
            features: from images to vectors.
            num_features: the length of these vectors.
            latent_size: number of dimensions of z.
            has_exponential_scale: whether the scale is exp(s) of the output s, as in the
                published code, where it begins near 1.
        """
        super().__init__()
        self.features = features
        self.has_exponential_scale = has_exponential_scale
        self.head = nn.Linear(num_features, 2 * latent_size)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """(loc, scale) of q(z|x); the scale begins near softplus(0) = 0.7."""
        loc, raw_scale = self.head(self.features(x)).chunk(2, dim=-1)
        if self.has_exponential_scale:
            return loc, raw_scale.exp()
        return loc, softplus(raw_scale) + SCALE_FLOOR
