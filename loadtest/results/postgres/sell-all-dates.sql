\set c random(1, 10000)
\set n random(1, 33)
UPDATE seats SET state = CASE WHEN state = 'free' THEN 'sold' ELSE 'free' END WHERE schedule_id = :c * 10 + 1 AND number = :n;
