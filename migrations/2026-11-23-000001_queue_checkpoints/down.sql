DROP TABLE queue_checkpoints;
