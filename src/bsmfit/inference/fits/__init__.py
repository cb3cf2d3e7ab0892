"""Maximum-likelihood fits, profiles, impacts and goodness of fit."""
