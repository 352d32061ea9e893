\set concert random(1, 10000)
\set none 0
SELECT "concerts"."title", "schedules"."id", "schedules"."performance_at", "schedules"."sale_opens_at", "schedules"."sale_closes_at", "schedules"."seats_left" FROM ("concerts" LEFT OUTER JOIN "schedules" ON (((("schedules"."concert_id" = "concerts"."id") AND ("schedules"."sale_opens_at" <= :now)) AND ("schedules"."sale_closes_at" > :now)) AND ("schedules"."seats_left" > :none))) WHERE ("concerts"."id" = :concert) ORDER BY "schedules"."performance_at", "schedules"."id";
