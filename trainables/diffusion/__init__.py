"""A denoising diffusion in its parts; `trainables.priors.diffusion` makes a prior of them.

chain             the noised states of z_0, and which of them training sees
time_law          how t is drawn
denoiser          the network, and what it says of the noise
reverse_variance  σ_t², and what it costs
reverse_process   p(z_{t-1} | z_t)
step              the steps of a sampler
trajectory        a drawn chain, and what it says of the density of z_0
"""
