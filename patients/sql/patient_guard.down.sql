ALTER TABLE patients RESET (fillfactor);
DROP TRIGGER patient_change ON patients;
DROP FUNCTION kura_patient_change();
