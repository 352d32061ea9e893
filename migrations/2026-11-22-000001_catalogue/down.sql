DROP TABLE seats;
DROP FUNCTION seats_count_changes();
DROP FUNCTION seats_count_none();
DROP TABLE schedules;
DROP FUNCTION schedules_refuse_a_count();
DROP TABLE concerts;
