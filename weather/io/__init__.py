"""Any file in canonical form; forecasts as Zarr and netCDF."""
