-- The incarnations of a queue whose tokens are valid, so that the tokens stay valid when its store
-- and all nodes are lost together.

ALTER TABLE queue_checkpoints
    -- Ascending, at most four. Empty in a row written by an older program.
    ADD COLUMN incarnations bigint[] NOT NULL DEFAULT '{}';
