ALTER TABLE journey_enrollments RESET (fillfactor);
DROP TRIGGER enrollment_is_logged ON journey_enrollments;
DROP FUNCTION kura_enrollment_is_logged();
DROP TRIGGER enrollment_kept ON journey_enrollments;
DROP TRIGGER enrollment_follows_log ON journey_enrollments;
DROP FUNCTION kura_enrollment_follows_log();
DROP TRIGGER journey_status_follows_log ON patients;
DROP TRIGGER journey_status_of_new_patient ON patients;
DROP FUNCTION kura_journey_status_follows_log();
