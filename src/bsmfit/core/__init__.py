"""Constants, safe numerics and interpolation: what every other layer stands on."""
