"""Signals: waves of three classes on a line, as an example of a domain of one's own."""
