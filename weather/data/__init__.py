"""Checked, prepared and windowed training data."""
