"""Reports on a trained model."""
