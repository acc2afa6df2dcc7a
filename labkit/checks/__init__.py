"""Self-checks for the exercises, one module for each notebook."""
