"""Settings: providers and keys, options, themes, key bindings, and how the workspace is."""
