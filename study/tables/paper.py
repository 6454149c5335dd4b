"""The paper's own numbers, to stand beside ours."""

from search_spaces import Stratum

SOURCE = (
    "Wehenkel & Louppe 2021, “Diffusion Priors in Variational Autoencoders”, Table 1"
    " (FID protocol, seeds and batch size not stated)"
)
TABLE1: dict[str, dict[str, dict[int, float]]] = {
    "celeba": {
        "gaussian": {40: 154.3, 100: 149.4, 200: 139.1},
        "flow": {40: 72.9, 100: 59.49, 200: 54.7},
        "diffusion": {40: 114.8, 100: 67.95, 200: 88.3},
    },
    "cifar10": {
        "gaussian": {40: 176.0, 100: 126.2, 200: 123.9},
        "flow": {40: 167.6, 100: 129.1, 200: 129.6},
        "diffusion": {40: 177.9, 100: 160.5, 200: 153.1},
    },
}


def paper_fid(stratum: Stratum) -> float | None:
    """The FID of this cell in Table 1 (lower is better), or None where the paper has none.

    >>> paper_fid(Stratum("celeba", "flow", 200))
    54.7
    >>> paper_fid(Stratum("digits", "flow", 8)) is None
    True
    """
    return TABLE1.get(stratum.dataset, {}).get(stratum.prior, {}).get(stratum.latent_size)
