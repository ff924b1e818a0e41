"""Weather: iterative refinement over latitude-longitude pyramids."""
