"""The `refine weather` commands; what is heavy is imported when a command runs."""
