//! The service with its queue and its cache in Redis over TLS.

use rcgen::generate_simple_self_signed;
use test_support::{RedisSetup, RedisTlsFiles};

use super::node::{Node, UNHURRIED, redis};

/// A certificate for this machine that signs itself, and its key.
fn certificate() -> (String, String) {
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn queue_and_cache_are_entered_over_tls_and_a_strange_certificate_is_an_outage_with_its_reason() {
    let ((known, key), (strange, _)) = (certificate(), certificate());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (known_file, strange_file) = (file("known.pem", &known), file("strange.pem", &strange));
    let files = || RedisTlsFiles {
        authorities: known.clone(),
        certificate: known.clone(),
        key: key.clone(),
        asks_clients: false,
    };
    let [queue, cache] = [
        redis(RedisSetup::default().tls(files()).line("requirepass hunter2")),
        redis(RedisSetup::default().tls(files()).line("maxmemory-policy allkeys-lfu")),
    ];
    let url = format!("rediss://:hunter2@{}", queue.tls_address());
    let start = |queue_file: &str, cache_file: &str| {
        let cache_url = format!("redis.cache.url=rediss://{}", cache.tls_address());
        let queue_file = format!("redis.queue.tls.ca_file={queue_file}");
        let cache_file = format!("redis.cache.tls.ca_file={cache_file}");
        let ours = ["cache.store=redis", &cache_url, &queue_file, &cache_file];
        Node::at(&url, &[&ours[..], &UNHURRIED].concat())
    };
    let node = start(&known_file, &known_file);
    node.wait_until("ready");
    assert_eq!(node.join(7).status, 200);
    drop(node);
    for (queue_file, cache_file, down) in
        [(&strange_file, &known_file, "redis"), (&known_file, &strange_file, "cache redis")]
    {
        let node = start(queue_file, cache_file);
        node.wait_until("degraded");
        let said = node.readiness().text;
        assert!(said.contains(&format!("\"dependency\":\"{down}\"")), "{said}");
        assert!(said.contains("unknown authority") && !said.contains("hunter2"), "{said}");
    }
}
