"""The doors to model providers; nothing outside this room imports a provider library."""
