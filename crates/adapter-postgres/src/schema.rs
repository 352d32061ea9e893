//! The tables as diesel sees them. `migrations/` defines the tables themselves. Every statement
//! runs in the tests, which detect differences between the two.

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
