"""What an admin types: parses, calls, shows. It decides nothing."""
