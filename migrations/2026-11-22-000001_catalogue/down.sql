DROP TABLE seats;
DROP FUNCTION seats_count_changes();
DROP FUNCTION seats_count_none();
DROP TABLE schedules;
DROP TABLE concerts;
