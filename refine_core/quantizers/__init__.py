"""Quantisers: vectors to discrete codes and back."""
