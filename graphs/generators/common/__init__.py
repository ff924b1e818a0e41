"""What the kinds of generators share."""
