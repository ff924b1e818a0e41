# %% [markdown]
# # A forecast from your own netCDF, verified
#
# A file with states of the atmosphere becomes an ensemble forecast, which is then verified against
# what happened, and drawn. Any regular grid and the usual names will do; the file here is
# made of the bundled sample, with the short names that ECMWF uses, to stand for yours.
# %%
import xarray as xr

import weather
from weather.samples import HISTORY, STATES

states = xr.open_dataset(STATES)
short = {
    "geopotential": "z",
    "temperature": "t",
    "2m_temperature": "t2m",
    "mean_sea_level_pressure": "msl",
}
states.rename({name: to for name, to in short.items() if name in states}).to_netcdf("mine.nc")
print(xr.open_dataset("mine.nc").sizes)
# %% [markdown]
# ## Forecast
#
# Member m depends on the seed, the initial time and m, whatever the batch and the processes.
# %%
model = weather.load("gcm", "cpu")
forecast = model.forecast(
    "mine.nc", ["2019-11-15T00", "2019-11-25T00"], members=20, lead_days=5, workers=1
)
print(forecast.sizes)
z500 = forecast["geopotential"].sel(level=500)
print(z500.std("number").mean(("time", "latitude", "longitude")).values.round())  # spread grows
# %% [markdown]
# ## Verify
#
# The fair CRPS of the forecast beside that of past years in the same season, lower is better. Two starts are few: the
# full report has intervals where there are more.
# %%
report = weather.verify(forecast, "mine.nc", HISTORY, lead_days=[1, 3, 5], regions="global")
print(weather.score_table(report, "crps_fair"))
# %% [markdown]
# ## Draw
# %%
forecast.to_netcdf("forecast.nc")
pictures = weather.plot(
    "forecast.nc",
    ".",
    kinds="maps",
    variables="z500",
    lead_days=[1, 5],
    time="2019-11-25T00",
    truth="mine.nc",
)
for path in pictures:
    print(path)
# %% [markdown]
# The same on the command line, with a file of your own:
#
# ```
# refine weather forecast --model gcm --init mine.nc --time 2019-11-15T00 2019-11-25T00 --members 20 --lead-days 5 --out forecast.nc
# refine weather verify forecast.nc --truth mine.nc --out scores
# refine weather plot forecast.nc --truth mine.nc --out pictures
# ```
#
# The shipped model knows a simulated climate. To forecast the real one, train it on your own years:
# [Your own data](../howto/own-data.md).
