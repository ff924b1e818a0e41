"""The `refine graphs` commands; what is heavy is imported when a command runs."""
