-- Concerts, their dates, and the seats of each date.
-- docs/adr/0008-seats-left-is-counted-as-seats-change.md explains why a date stores how many seats
-- it has left.

CREATE TABLE concerts (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    place text NOT NULL,
    CONSTRAINT concerts_id_is_positive CHECK (id > 0),
    CONSTRAINT concerts_title_is_there CHECK (title <> '')
);

CREATE TABLE schedules (
    id bigint PRIMARY KEY,
    concert_id bigint NOT NULL REFERENCES concerts (id),
    performance_at timestamptz NOT NULL,
    sale_opens_at timestamptz NOT NULL,
    sale_closes_at timestamptz NOT NULL,
    -- The number of free seats of this date. Only the triggers below may write it.
    seats_left integer NOT NULL DEFAULT 0,
    CONSTRAINT schedules_id_is_positive CHECK (id > 0),
    CONSTRAINT schedules_sale_closes_after_it_opens CHECK (sale_opens_at < sale_closes_at),
    -- Finite, and within the range that clients can read.
    CONSTRAINT schedules_times_are_in_reach CHECK (
        least(performance_at, sale_opens_at) >= '1970-01-01 00:00:00Z'
        AND greatest(performance_at, sale_closes_at) < '9999-01-01 00:00:00Z'
    ),
    CONSTRAINT schedules_seats_left_is_not_negative CHECK (seats_left >= 0)
)
-- Leaves room on the page for the next version of a row, so that an update of the count touches no
-- index.
WITH (fillfactor = 70);

-- The dates of one concert in display order. For the same reason it must not contain seats_left.
CREATE INDEX schedules_of_concert ON schedules (concert_id, performance_at, id);

CREATE TABLE seats (
    schedule_id bigint NOT NULL REFERENCES schedules (id),
    number integer NOT NULL,
    state text NOT NULL DEFAULT 'free',
    -- A seat number is unique within a date.
    PRIMARY KEY (schedule_id, number),
    CONSTRAINT seats_number_is_positive CHECK (number > 0),
    CONSTRAINT seats_state_is_known CHECK (state IN ('free', 'held', 'sold'))
);

-- Applies the changes of a statement to the counts of the dates it affects. Rows of dates are
-- locked in the order of their ids, so that two statements cannot deadlock. The function runs with
-- its owner's rights: a user who may change a seat needs no right to change a date.
CREATE FUNCTION seats_count_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    touched bigint[];
    changes bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(schedule_id ORDER BY schedule_id), array_agg(change ORDER BY schedule_id)
        INTO touched, changes
        FROM (SELECT schedule_id, count(*) AS change FROM seats_after WHERE state = 'free' GROUP BY schedule_id) AS c;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(schedule_id ORDER BY schedule_id), array_agg(change ORDER BY schedule_id)
        INTO touched, changes
        FROM (SELECT schedule_id, -count(*) AS change FROM seats_before WHERE state = 'free' GROUP BY schedule_id) AS c;
    ELSE
        SELECT array_agg(schedule_id ORDER BY schedule_id), array_agg(change ORDER BY schedule_id)
        INTO touched, changes
        FROM (
            SELECT schedule_id, sum(change) AS change
            FROM (
                SELECT schedule_id, 1 AS change FROM seats_after WHERE state = 'free'
                UNION ALL
                SELECT schedule_id, -1 FROM seats_before WHERE state = 'free'
            ) AS both_sides
            GROUP BY schedule_id
            HAVING sum(change) <> 0
        ) AS c;
    END IF;
    IF touched IS NULL THEN
        RETURN NULL;
    END IF;
    IF cardinality(touched) > 1 THEN
        PERFORM 1 FROM schedules WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    UPDATE schedules SET seats_left = seats_left + c.change
    FROM unnest(touched, changes) AS c (schedule_id, change)
    WHERE schedules.id = c.schedule_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION seats_count_none() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE schedules SET seats_left = 0 WHERE seats_left <> 0;
    RETURN NULL;
END
$$;

-- Functions that run with their owner's rights must find the tables here, not objects that a caller
-- puts first in the search path.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION seats_count_changes() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION seats_count_none() SET search_path = %I, pg_temp', current_schema());
END
$$;

CREATE TRIGGER seats_inserted AFTER INSERT ON seats
    REFERENCING NEW TABLE AS seats_after
    FOR EACH STATEMENT EXECUTE FUNCTION seats_count_changes();

CREATE TRIGGER seats_updated AFTER UPDATE ON seats
    REFERENCING OLD TABLE AS seats_before NEW TABLE AS seats_after
    FOR EACH STATEMENT EXECUTE FUNCTION seats_count_changes();

CREATE TRIGGER seats_deleted AFTER DELETE ON seats
    REFERENCING OLD TABLE AS seats_before
    FOR EACH STATEMENT EXECUTE FUNCTION seats_count_changes();

CREATE TRIGGER seats_truncated AFTER TRUNCATE ON seats
    FOR EACH STATEMENT EXECUTE FUNCTION seats_count_none();

-- Refuses direct writes of the count. Within the triggers above the depth is 1.
CREATE FUNCTION schedules_refuse_a_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'schedules.seats_left follows the seats and cannot be written' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER schedules_count_is_not_given BEFORE INSERT ON schedules
    FOR EACH ROW WHEN (NEW.seats_left <> 0) EXECUTE FUNCTION schedules_refuse_a_count();

CREATE TRIGGER schedules_count_is_not_written BEFORE UPDATE OF seats_left ON schedules
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION schedules_refuse_a_count();
