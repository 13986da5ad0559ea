"""Who calls: programs with a key, and visitors with a cookie."""
