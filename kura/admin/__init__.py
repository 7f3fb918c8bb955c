"""The therapists' workplace: the admin site, its templates and its one list of registrations."""
