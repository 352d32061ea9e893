//! What a look takes, for whoever wants to know: `cargo test --release -p adapter-redis speed -- --ignored --nocapture`.

use std::time::Duration;

use decorators::cache::{CacheStore as _, LeaseId};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::{LONG, PATIENT, key, look, store};
use crate::support::{CLUSTER, SINGLE, cluster, single};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_look_on_loopback() {
    for (place, address) in [("single", single(SINGLE.address())), ("cluster", cluster(&CLUSTER.addresses()))]
    {
        let store = store(&address, PATIENT);
        let at = look(&store, &key("a")).await.unwrap().at;
        store.put(&key("a"), vec![b'x'; 4_000].into(), at, LONG, LeaseId(7)).await.unwrap();
        let mut each = Vec::new();
        for _look in 0..5_000 {
            let began = Instant::now();
            look(&store, &key("a")).await.unwrap();
            each.push(began.elapsed());
        }
        each.sort_unstable();
        let began = Instant::now();
        let mut askers = JoinSet::new();
        for _asker in 0..8 {
            let store = store.clone();
            askers.spawn(async move {
                for _look in 0..2_500 {
                    look(&store, &key("a")).await.unwrap();
                }
            });
        }
        askers.join_all().await;
        let at_once = Duration::from_secs(20_000).div_f64(began.elapsed().as_secs_f64()).as_secs();
        println!("{place}: p50 {:?}, p99 {:?}, eight at once {at_once}/s", each[2_500], each[4_950]);
    }
}
