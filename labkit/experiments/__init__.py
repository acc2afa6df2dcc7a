"""Experiments as values, the runs they leave, and what is done with many of them."""
