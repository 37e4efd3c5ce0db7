"""Traces: find them, read them step by step, and take a step to the playground."""
