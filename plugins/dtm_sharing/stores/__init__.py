"""The only input and output: tables, objects, databases, mail, settings."""
