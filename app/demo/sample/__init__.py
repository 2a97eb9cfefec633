"""Makes believable sample data: every customer is a small simulation, lived from registration to now."""
