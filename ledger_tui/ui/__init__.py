"""The workstation: a terminal surface over the services."""
