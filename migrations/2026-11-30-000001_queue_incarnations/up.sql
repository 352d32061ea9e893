-- Which lives of a queue its tokens may be of, so that they stay good when its store and all nodes are lost together.

ALTER TABLE queue_checkpoints
    -- Ascending, four at most. Empty in a row that an older program wrote.
    ADD COLUMN incarnations bigint[] NOT NULL DEFAULT '{}';
