-- How far each line had come, for the day its store and all nodes are lost together.

CREATE TABLE queue_checkpoints (
    queue text PRIMARY KEY,
    -- The highest number known to be given, and the highest known to be called.
    last bigint NOT NULL,
    serving bigint NOT NULL,
    -- No number above it was given before a higher one was written here.
    ceiling bigint NOT NULL,
    -- For people: nothing is decided by it.
    saved_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT queue_checkpoints_queue_is_named CHECK (queue <> ''),
    CONSTRAINT queue_checkpoints_serving_is_not_negative CHECK (serving >= 0),
    CONSTRAINT queue_checkpoints_only_numbers_given_are_called CHECK (serving <= last),
    CONSTRAINT queue_checkpoints_ceiling_is_not_below_last CHECK (last <= ceiling)
);
