//! The service on a database and two Redis, each behind a proxy that can break the connection.

use std::sync::atomic::{AtomicU64, Ordering};

use test_support::{Database, FaultProxy, Redis, RedisBinaries, RedisSetup};

use super::cells::{Cells, cell};
use crate::postgres::database;
use crate::support::{Answer, TestApp, eventually};

pub(super) struct World {
    app: TestApp,
    pub(super) database: Database,
    pub(super) line: Redis,
    pub(super) copies: Redis,
    postgres_wire: FaultProxy,
    line_wire: FaultProxy,
    copies_wire: FaultProxy,
    /// The token of a user with a session.
    inside: String,
    /// The token of a waiting user.
    waiting: String,
    /// The next new user.
    users: AtomicU64,
    /// The next page and concert that were never requested.
    unread: AtomicU64,
    /// The next page that may have been requested.
    pages: AtomicU64,
}

/// A page and a concert that are requested all the time.
const PAGE: u64 = 1;
const CONCERT: u64 = 451;

impl World {
    pub(super) fn start() -> Self {
        let binaries = RedisBinaries::find().unwrap();
        let redis = || Redis::start(&binaries, RedisSetup::default()).unwrap();
        let (database, line, copies) = (database(), redis(), redis());
        let postgres_wire = FaultProxy::to(database.server_address().unwrap()).unwrap();
        let (line_wire, copies_wire) =
            (FaultProxy::to(line.address()).unwrap(), FaultProxy::to(copies.address()).unwrap());
        let app = TestApp::start(&[
            "catalog.store=postgres",
            &format!(
                "postgres.url=postgres://postgres@{}/{}",
                postgres_wire.address(),
                database.name()
            ),
            "queue.store=redis",
            &format!("redis.queue.url=redis://{}", line_wire.address()),
            "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
            "cache.store=redis",
            &format!("redis.cache.url=redis://{}", copies_wire.address()),
            // Calls two users, then none for an hour.
            "queue.policy.batch=2",
            "queue.policy.every=1h",
            // Copies expire at once and are then served only if nothing newer is available.
            "cache.concerts.ttl=50ms",
            "cache.concerts.stale_while_refreshing=0s",
            "cache.dates.ttl=50ms",
            "cache.dates.stale_while_refreshing=0s",
            // A busy machine must not look like an unavailable dependency.
            "cache.concerts.patience=1s",
            "cache.dates.patience=1s",
            "ops.check_every=100ms",
        ]);
        // On a busy machine the first join may time out; the next one finds the place.
        let token_of = |user| {
            let join = || app.request("POST", &format!("/user/{user}/queue/token/issue"), &[]);
            eventually("joining works", || join().status == 200);
            app.token_of(user)
        };
        let inside = token_of(1);
        let [_, waiting] = [2, 3].map(token_of);
        let world = Self {
            app,
            database,
            line,
            copies,
            postgres_wire,
            line_wire,
            copies_wire,
            inside,
            waiting,
            users: AtomicU64::new(10),
            unread: AtomicU64::new(30),
            pages: AtomicU64::new(0),
        };
        world.wait_until_well();
        world
    }

    fn page(&self, number: u64) -> Answer {
        self.app.request("GET", &format!("/concerts/query?page={number}"), &[])
    }

    fn new_page(&self) -> Answer {
        self.page(self.unread.fetch_add(1, Ordering::Relaxed))
    }

    fn new_dates(&self) -> Answer {
        self.dates(self.unread.fetch_add(1, Ordering::Relaxed))
    }

    /// One of many pages, so that earlier cached responses do not hide the outcome.
    fn some_page(&self) -> Answer {
        self.page(2 + self.pages.fetch_add(1, Ordering::Relaxed) % 25)
    }

    /// The same for dates.
    fn some_dates(&self) -> Answer {
        self.dates(2 + self.pages.fetch_add(1, Ordering::Relaxed) % 25)
    }

    fn dates(&self, concert: u64) -> Answer {
        self.app.dates(&concert.to_string(), &self.inside)
    }

    fn join(&self) -> Answer {
        self.app.request(
            "POST",
            &format!("/user/{}/queue/token/issue", self.users.fetch_add(1, Ordering::Relaxed)),
            &[],
        )
    }

    /// Releases a new place if joining works, otherwise that of the waiting user.
    fn leave(&self) -> Answer {
        let joined = self.join();
        let token =
            if joined.status == 200 { joined.word("waitingToken") } else { self.waiting.clone() };
        self.app.leave(&token)
    }

    pub(super) fn cells(&self) -> Cells {
        let cells = [
            ("join", cell(|| self.join())),
            ("ask, waiting", cell(|| self.app.query(&self.waiting))),
            ("ask, called", cell(|| self.app.query(&self.inside))),
            ("leave", cell(|| self.leave())),
            ("list, kept", cell(|| self.page(PAGE))),
            ("list, new", cell(|| self.new_page())),
            ("dates, kept", cell(|| self.dates(CONCERT))),
            ("dates, new", cell(|| self.new_dates())),
        ];
        Cells(cells.map(|(column, cell)| (column.to_owned(), cell)).to_vec())
    }

    fn protection(&self) -> serde_json::Value {
        self.app.ops("/protection").json()
    }

    fn state(&self, breaker: &str) -> String {
        self.protection()["breakers"][breaker]["state"].as_str().unwrap().to_owned()
    }

    /// Recent failures, for the message of a failed test.
    pub(super) fn failures(&self) -> String {
        self.app.ops("/failures").text
    }

    pub(super) fn wait_until_well(&self) {
        eventually("everything is up again", || {
            self.page(PAGE);
            self.dates(CONCERT);
            let closed = ["joining", "queue", "catalog", "cache"].iter().all(|breaker| {
                // Each response may be what a half-open breaker needs.
                let joins = self.join().status == 200;
                self.some_page();
                let dates = self.some_dates().status == 200;
                joins && dates && self.state(breaker) == "closed"
            });
            closed
                && self.app.ops("/readyz").word("status") == "ready"
                && self.app.query(&self.waiting).field("stale").is_null()
                && self.dates(CONCERT).header("warning").is_empty()
                && self.page(PAGE).header("warning").is_empty()
        });
    }

    fn proxy(&self, to: &str) -> &FaultProxy {
        match to {
            "Postgres" => &self.postgres_wire,
            "queue Redis" => &self.line_wire,
            "cache Redis" => &self.copies_wire,
            other => panic!("there is no wire to {other}"),
        }
    }
}

type Mend = Box<dyn FnOnce(&World)>;

/// Breaks a dependency, waits until the service has noticed, and returns the repair.
pub(super) fn break_it(world: &World, what: &'static str, how: &str) -> Mend {
    match how {
        "down" => world.proxy(what).cut(),
        "slow" => world.proxy(what).block(),
        "left alone" => return leave_alone(world, what),
        "lying" => return lie(world, what),
        other => panic!("nothing is broken by being {other}"),
    }
    wait_until_noticed(world, what);
    Box::new(|world| world.proxy(what).mend())
}

fn wait_until_noticed(world: &World, what: &str) {
    eventually("it is noticed", || match what {
        "queue Redis" => world.app.query(&world.waiting).field("stale") == true,
        "Postgres" => {
            !world.page(PAGE).header("warning").is_empty()
                && !world.dates(CONCERT).header("warning").is_empty()
        }
        _ => world.app.ops("/readyz").word("status") == "degraded",
    });
}

/// Keeps the dependency down until its breakers are open.
fn leave_alone(world: &World, what: &'static str) -> Mend {
    world.proxy(what).cut();
    wait_until_noticed(world, what);
    let (breakers, provoke): (&[&str], fn(&World)) = match what {
        "Postgres" => (&["catalog"], |world| drop(world.some_page())),
        "queue Redis" => (&["joining", "queue"], |world| drop((world.join(), world.leave()))),
        _ => (&["cache"], |world| drop(world.page(PAGE))),
    };
    eventually("the breakers open", || {
        provoke(world);
        breakers.iter().all(|breaker| world.state(breaker) == "open")
    });
    Box::new(move |world| world.proxy(what).mend())
}

fn lie(world: &World, what: &str) -> Mend {
    match what {
        "Postgres" => {
            let lie = "ALTER TABLE concerts RENAME title TO true_title; \
                       ALTER TABLE concerts ADD COLUMN title integer NOT NULL DEFAULT -1";
            world.database.sql(lie).unwrap();
            wait_until_noticed(world, what);
            Box::new(|world| {
                let truth = "ALTER TABLE concerts DROP COLUMN title; \
                             ALTER TABLE concerts RENAME true_title TO title";
                world.database.sql(truth).unwrap();
            })
        }
        "queue Redis" => {
            let line = "boxoffice:{main}:line";
            world.line.command(&["RENAME", line, "true-line"]).unwrap();
            world.line.command(&["SET", line, "nonsense"]).unwrap();
            wait_until_noticed(world, what);
            Box::new(|world| {
                world.line.command(&["RENAME", "true-line", "boxoffice:{main}:line"]).unwrap();
            })
        }
        _ => {
            for number in 0..100 {
                for kind in ["concerts:1-10", "dates:1"] {
                    let key = format!("boxoffice:cache:main:{{{kind}-{number}}}");
                    world.copies.command(&["SET", &key, "nonsense"]).unwrap();
                }
            }
            Box::new(|world| {
                world.copies.command(&["FLUSHALL"]).unwrap();
            })
        }
    }
}
