"""Who works with Kura: organizations, users, and the roles that say what each may do."""
