"""Scores of ensembles in plain numpy: members on the first axis, whole maps at a time.

Each function computes a statistic that can be averaged over an area and over forecasts; roots and
ratios come after the average (`weather.verification.statistics.scores`).
"""
