//! The names of the keys.

use decorators::cache::CacheKey;
use domain::queue::QueueId;

/// The prefix of every key of a deployment.
pub(super) fn prefix(prefix: &str, deployment: QueueId) -> String {
    format!("{prefix}:{deployment}")
}

/// The copy and the lease of a key. They share a hash tag, so they are in one slot.
pub(super) fn of(prefix: &str, key: &CacheKey) -> [String; 2] {
    let copy = format!("{prefix}:{{{key}}}");
    let lease = format!("{copy}:lease");
    [copy, lease]
}

/// The key with the last invalidation of a kind.
pub(super) fn invalidated(prefix: &str, kind: &str) -> String {
    format!("{prefix}:{{{kind}}}:invalidated")
}

/// The key that a health check writes.
pub(super) fn probe(prefix: &str) -> String {
    format!("{prefix}:{{probe}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_documented_ones() {
        let key = CacheKey { kind: "concerts", name: "page-1".to_owned() };
        let prefix = prefix("boxoffice:cache", QueueId::parse("main").unwrap());
        let [copy, lease] = of(&prefix, &key);
        assert_eq!(copy, "boxoffice:cache:main:{concerts:page-1}");
        assert_eq!(lease, "boxoffice:cache:main:{concerts:page-1}:lease");
        assert_eq!(invalidated(&prefix, "concerts"), "boxoffice:cache:main:{concerts}:invalidated");
    }
}
