"""``ledger-tui sync``: one ledger for a team."""
