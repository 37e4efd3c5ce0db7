"""Syncing with a shared server: the door to any server (door.py), one in memory, and the engine."""
