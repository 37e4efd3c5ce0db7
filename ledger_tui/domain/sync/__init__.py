"""What syncing means, as pure functions: records, their order and chain, plans, conflicts, digests. No I/O."""
