"""Kinds of generative models on the core's refiner."""
