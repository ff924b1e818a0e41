"""The `refine images` commands; what is heavy is imported when a command runs."""
