"""Where facts are kept: connections, queries, migrations and files; all SQL is here."""
