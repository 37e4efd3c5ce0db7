"""Costs: what was spent, by day and by model."""
