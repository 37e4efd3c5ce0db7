"""What one can do with the ledger; every front door calls these."""
