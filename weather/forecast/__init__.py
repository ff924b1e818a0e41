"""From initial states in a file to a store of forecasts."""
