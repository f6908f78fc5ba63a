"""What faces the database: the ledger's table, and the migrations that make it."""
