"""Calibration of an ensemble on validation data."""
