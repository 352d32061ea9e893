//! A node's view of its cluster.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use crate::error::{Outcome, failed};

/// A line of `CLUSTER NODES`.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Member {
    pub(super) id: String,
    /// `None` while it is unknown.
    pub(super) address: Option<SocketAddr>,
    /// The primary, if this is a replica.
    pub(super) primary: Option<String>,
    /// The member with the higher epoch is right about its slots.
    pub(super) epoch: u64,
    /// Whether it is connected and not reported as down.
    pub(super) is_well: bool,
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

impl Member {
    pub(super) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| range.contains(&slot))
    }
}

const UNWELL: [&str; 4] = ["fail", "fail?", "handshake", "noaddr"];

/// Parses the answer of `CLUSTER NODES`.
pub(super) fn members(text: &str) -> Outcome<Vec<Member>> {
    let member = |line: &str| {
        member(line).ok_or_else(|| failed(format!("not a line of CLUSTER NODES: {line}")))
    };
    text.lines().map(member).collect()
}

fn member(line: &str) -> Option<Member> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    // Such as 127.0.0.1:7000@17000,name
    let address = words.next()?.split('@').next()?.parse().ok();
    let flags: Vec<&str> = words.next()?.split(',').collect();
    let primary = words.next().filter(|id| *id != "-").map(ToOwned::to_owned);
    // The times of the last ping and pong precede it.
    let epoch = words.nth(2)?.parse().ok()?;
    let is_well = words.next()? == "connected" && !flags.iter().any(|flag| UNWELL.contains(flag));
    // Moving slots are listed a second time in brackets; they count for the node that has them.
    let slots = words.filter(|word| !word.starts_with('[')).map(range).collect::<Option<_>>()?;
    Some(Member { id, address, primary, epoch, is_well, slots })
}

fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// The facts that nodes must agree on: each member's address, primary and slots; sorted.
pub(super) fn essence(members: &[Member]) -> Vec<String> {
    let word =
        |member: &Member| format!("{:?} {:?} {:?}", member.address, member.primary, member.slots);
    let mut words: Vec<String> = members.iter().map(word).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_becomes_a_member() {
        let text = "aa 127.0.0.1:7000@17000,name myself,master - 0 0 3 connected 0 5-9 [93-<-bb]\n\
                    bb 127.0.0.1:7001@17001 slave,fail? aa 1 2 3 connected\n\
                    cc :0@0 master,noaddr - 1 2 0 disconnected";
        let [first, second, third] = <[_; 3]>::try_from(members(text).unwrap()).unwrap();
        assert_eq!(first.slots, [0..=0, 5..=9]);
        assert!(first.has(5) && !first.has(93) && first.is_well && first.epoch == 3);
        assert_eq!(first.address, Some("127.0.0.1:7000".parse().unwrap()));
        assert_eq!(second.primary.as_deref(), Some("aa"));
        assert!(!second.is_well && !third.is_well && third.address.is_none());
        assert!(members("ERR").is_err());
    }
}
