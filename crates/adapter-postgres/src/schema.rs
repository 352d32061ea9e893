//! The tables as the statements see them. `migrations/` has the tables themselves; every statement runs in the tests, so
//! the two cannot differ for long.

diesel::table! {
    concerts (id) {
        id -> BigInt,
        title -> Text,
        place -> Text,
    }
}

diesel::table! {
    schedules (id) {
        id -> BigInt,
        concert_id -> BigInt,
        performance_at -> Timestamptz,
        sale_opens_at -> Timestamptz,
        sale_closes_at -> Timestamptz,
        seats_left -> Integer,
    }
}

diesel::allow_tables_to_appear_in_same_query!(concerts, schedules);
