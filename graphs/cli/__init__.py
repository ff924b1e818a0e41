"""The `refine graphs` commands."""
