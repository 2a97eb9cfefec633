"""Changes the database: read, decide, write, in one transaction each."""
