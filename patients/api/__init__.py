"""The patient's own data over HTTP: what may be sent, and what is told."""
