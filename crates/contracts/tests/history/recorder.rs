//! Recording, writing and reading.

use std::time::Duration;

use contracts::history::{Completion, History, Invocation};
use domain::queue::{QueueNumber, UserId};

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn number(n: u64) -> QueueNumber {
    QueueNumber::new(n).unwrap()
}

/// One op of every kind and outcome, one op that is dropped and one that has not ended.
fn everything(history: &History) -> contracts::history::Op {
    let (user, number) = (user(7), number(3));
    let op = |requested, reported| history.begin(requested).end(reported);
    op(Invocation::Join { user }, Completion::Number { number, rejoined: false });
    op(Invocation::FindAgain { user }, Completion::Number { number, rejoined: true });
    op(Invocation::Ask { user, number }, Completion::Waiting { position: 12 });
    op(Invocation::Ask { user, number }, Completion::Called);
    op(Invocation::Ask { user, number }, Completion::Active);
    op(Invocation::Ask { user, number }, Completion::Gone);
    op(
        Invocation::Admit { user, number },
        Completion::LetIn { until_after: Duration::new(600, 1) },
    );
    op(Invocation::Admit { user, number }, Completion::NotYet);
    op(Invocation::Leave { user, number }, Completion::Left);
    op(Invocation::Join { user }, Completion::Refused);
    drop(history.begin(Invocation::Join { user }));
    history.begin(Invocation::Leave { user, number })
}

fn written(history: &History) -> String {
    let mut text = Vec::new();
    history.write_to(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_written_history_reads_back_the_same() {
    let history = History::new();
    let open = everything(&history);
    let text = written(&history);
    let read = History::read_from(text.as_bytes()).unwrap();
    assert_eq!(read.records(), history.records());
    assert_eq!(written(&read), text);
    let (dropped, open_one) = (read.records()[10], read.records()[11]);
    assert!(dropped.reported == Completion::Unknown && dropped.ended.is_some());
    assert!(open_one.reported == Completion::Unknown && open_one.ended.is_none());
    drop(open);
    // The history continues where it stopped.
    let latest = history.records()[10].ended.unwrap();
    drop(read.begin(Invocation::Join { user: user(1) }));
    let added = read.records()[12];
    assert!(added.id == 12 && added.begun >= latest && added.ended >= Some(added.begun));
}

#[test]
fn a_summary_counts_invocations_and_responses_in_one_line() {
    let history = History::new();
    assert_eq!(history.summary().to_string(), "no ops");
    let _open = everything(&history);
    let summary = history.summary();
    assert_eq!(
        summary.to_string(),
        "admit 2: 1 let-in, 1 not-yet; ask 4: 1 active, 1 called, 1 gone, 1 waiting; \
         find-again 1: 1 number; join 3: 1 number, 1 refused, 1 unknown; leave 2: 1 left, 1 unknown"
    );
    assert_eq!((summary.count("join", "unknown"), summary.count("join", "left")), (1, 0));
}

#[test]
fn many_threads_record_in_the_order_of_time() {
    let history = History::new();
    std::thread::scope(|scope| {
        for id in 1..=8 {
            let history = history.clone();
            scope.spawn(move || {
                for n in 1..=500 {
                    let op = history.begin(Invocation::Ask { user: user(id), number: number(n) });
                    op.end(Completion::Waiting { position: n });
                }
            });
        }
    });
    let records = history.records();
    assert_eq!(records.len(), 4_000);
    assert!(records.is_sorted_by(|a, b| a.id + 1 == b.id && a.begun <= b.begun));
    for op in records {
        let Invocation::Ask { number, .. } = op.requested else { panic!("{op}") };
        assert_eq!(op.reported, Completion::Waiting { position: number.get() });
        assert!(op.ended >= Some(op.begun));
    }
}

#[test]
fn read_errors_name_the_line() {
    let good = "0 5 6 join 1 number 1 fresh\n";
    let error = |text: &str| History::read_from(text.as_bytes()).unwrap_err();
    for (text, line, what) in [
        ("", 1, "cut off here"),
        ("history 2 of 0 ops\n", 1, "not the header of a history"),
        ("history 1 of 0 ops", 1, "cut off here"),
        ("history 1 of 2 ops\n{good}", 3, "cut off here"),
        ("history 1 of 2 ops\n{good}1 7 8 ask 1 1 waiting 12", 3, "cut off here"),
        ("history 1 of 1 ops\n{good}{good}", 3, "more ops than the first line says"),
        ("history 1 of 2 ops\n{good}{good}", 3, "unexpected id"),
    ] {
        let error = error(&text.replace("{good}", good));
        assert_eq!(
            (error.line(), error.to_string()),
            (line, format!("line {line}: {what}")),
            "{text}"
        );
    }
    for bad in [
        "0 5 6 join 1 number 1",
        "0 5 6 join 1 number 0 fresh",
        "0 5 6 join 1 number 1 fresh 1",
        "0 5 6 join 0 refused",
        "0 5 6 ask 1 called",
        "0 5 6 steal 1 1 called",
        "0 5 6 ask 1 1 asleep",
        "0 7 6 ask 1 1 called",
        "0 5 - ask 1 1 called",
        "0 -5 6 ask 1 1 called",
        "",
    ] {
        let error = error(&format!("history 1 of 1 ops\n{bad}\n"));
        assert_eq!((error.line(), error.to_string()), (2, "line 2: not an op".to_owned()), "{bad}");
    }
    let not_text = History::read_from(&b"history 1 of 1 ops\n\xff\n"[..]).unwrap_err();
    assert!(not_text.line() == 2 && std::error::Error::source(&not_text).is_some());
}
