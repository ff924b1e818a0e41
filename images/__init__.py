"""Images: iterative refinement over the scales of a picture, up to MNIST end to end."""
