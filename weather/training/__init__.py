"""Training of a forecaster, stage by stage."""
