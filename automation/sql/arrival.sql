-- The order in which events arrived: the queue takes a patient's events in it.
CREATE SEQUENCE event_dispatches_arrival AS bigint;
