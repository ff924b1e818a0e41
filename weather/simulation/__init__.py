"""Training data simulated by a general circulation model; alone knows JAX."""
