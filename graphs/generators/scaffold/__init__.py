"""Samples that contain a given scaffold."""
