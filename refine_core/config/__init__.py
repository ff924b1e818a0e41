"""Typed YAML configs and the sentences that name their mistakes."""
