"""What a command needs: options, progress, tables and figures."""
