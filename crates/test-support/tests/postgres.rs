//! A private Postgres server with locked tables.

use test_support::{Durability, Postgres, PostgresBinaries};

const COUNT: &str = "SET lock_timeout = '50ms';\nSELECT count(*) FROM things;";

#[test]
fn a_lock_is_released_on_drop() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::None).unwrap();
    server.sql("postgres", "CREATE TABLE things ()").unwrap();
    let held = server.hold("postgres", "LOCK TABLE things").unwrap();
    let refused = server.sql("postgres", COUNT).unwrap_err().to_string();
    assert!(refused.contains("lock timeout"), "{refused}");
    drop(held);
    let free = "SET lock_timeout = '30s';\nSELECT count(*) FROM things;";
    assert_eq!(server.sql("postgres", free).unwrap(), "0");
    assert!(server.hold("postgres", "LOCK TABLE nothing").is_err());
}
