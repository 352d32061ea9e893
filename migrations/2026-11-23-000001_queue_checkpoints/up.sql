-- The progress of each queue, to restore it when its store and all nodes are lost together.

CREATE TABLE queue_checkpoints (
    queue text PRIMARY KEY,
    -- The highest number known to be issued, and the highest known to be called.
    last bigint NOT NULL,
    serving bigint NOT NULL,
    -- No number above the ceiling is issued before a higher ceiling is written here.
    ceiling bigint NOT NULL,
    -- For operators; the program does not use it.
    saved_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT queue_checkpoints_queue_is_named CHECK (queue <> ''),
    CONSTRAINT queue_checkpoints_serving_is_not_negative CHECK (serving >= 0),
    CONSTRAINT queue_checkpoints_only_numbers_given_are_called CHECK (serving <= last),
    CONSTRAINT queue_checkpoints_ceiling_is_not_below_last CHECK (last <= ceiling)
);
