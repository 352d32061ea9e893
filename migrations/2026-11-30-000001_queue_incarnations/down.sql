ALTER TABLE queue_checkpoints DROP COLUMN incarnations;
