"""Scores, reports and pictures of trained models."""
