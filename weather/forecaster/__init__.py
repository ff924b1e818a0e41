"""One forecast step (mean, residual, correction) and the roll-out."""
