"""What may be installed: signed metadata, packages by their content, and how agents get them."""
