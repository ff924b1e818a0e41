# mypy: ignore-errors
"""The latent pyramid: invariant slots, then bit-planes of node latents."""
