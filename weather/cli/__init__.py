"""The `refine weather` commands."""
