"""Modal screens: questions, the palette, help."""
