"""Who is calling: bearer tokens and sessions, of which only the sha256 is stored, and what each role may do."""
