"""The `refine images` commands."""
