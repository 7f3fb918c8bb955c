ALTER TABLE rate_counts RESET (fillfactor);
ALTER TABLE rate_counts SET LOGGED;
