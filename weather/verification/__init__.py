"""Verification of any forecast against analyses."""
