\set n random(1, 34)
UPDATE seats SET state = CASE WHEN state = 'free' THEN 'sold' ELSE 'free' END WHERE schedule_id = 4511 AND number = :n;
