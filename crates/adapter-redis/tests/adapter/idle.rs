//! A queue that was idle for longer than its keys live.

use std::time::Duration;

use domain::queue::{
    AdmissionPolicy, NumberBounds, PolicySpec, QueueCounters, QueueStore as _, UserId,
};

use crate::support::{SINGLE, line_key, new_queue, ready_nodes, settings, single};

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_free_again_after_calls_are_lost_with_their_keys() {
    let queue = new_queue();
    let spec =
        PolicySpec { max_active: 2, every: Duration::from_millis(1), ..PolicySpec::default() };
    let settings = settings(queue, AdmissionPolicy::new(spec).unwrap());
    let node = ready_nodes(1, &single(SINGLE.address()), &settings).await.remove(0);
    for user in 1..=3 {
        node.join(UserId::new(user).unwrap(), None, NumberBounds::NONE).await.unwrap();
    }
    assert_eq!(
        node.call_next(QueueCounters::START, None).await.unwrap().snapshot.counters,
        QueueCounters::new(3, 2)
    );

    let hash = line_key(queue);
    for key in ["holders", "users", "calls", "used", "sessions", "inside", "changes"] {
        SINGLE.command(&["DEL", &hash.replace(":line", &format!(":{key}"))]).unwrap();
    }
    let called = node.call_next(QueueCounters::START, None).await.unwrap();
    assert_eq!(
        (called.count, called.snapshot.counters),
        (1, QueueCounters::new(3, 3)),
        "no call or session was left"
    );
}
