"""The patient: who they are, how to reach them, and how to find them by name."""
