"""Widgets that more than one place uses; they take values and post messages."""
