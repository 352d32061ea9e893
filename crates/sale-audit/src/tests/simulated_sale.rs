//! A small model of a sale: a queue in one store, two nodes that refresh their views of it, and
//! people who arrive in a short time. Its record is one that a correct service would produce,
//! unless the settings break a promised limit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use fastrand::Rng;

use super::{Line, line};

/// Microseconds: finer than the record's milliseconds.
type Micros = i64;

const MILLISECOND: Micros = 1_000;

/// The settings of the service.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) seed: u64,
    /// One or two.
    pub(super) nodes: usize,
    pub(super) people: u64,
    pub(super) batch: i64,
    pub(super) every: Micros,
    pub(super) max_active: usize,
    pub(super) look_every: Micros,
    pub(super) claim_within: Micros,
    pub(super) session_ttl: Micros,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 451,
            nodes: 2,
            people: 5_000,
            batch: 60,
            every: 100 * MILLISECOND,
            max_active: 400,
            look_every: 100 * MILLISECOND,
            claim_within: 1_500 * MILLISECOND,
            session_ttl: 1_000 * MILLISECOND,
        }
    }
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Step {
    Join,
    Ask,
    Dates,
    Leave,
    Forge,
    Junk,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Look(usize),
    /// A request is executed: its user, when it was sent, and its kind.
    Done(u64, Micros, Step),
}

/// The behaviour of one person.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Plan {
    Buys,
    LeavesEarly,
    NeverComes,
    Stays,
    JoinsAgain,
    Hammers,
    Pushes,
    Forges,
    SendsJunk,
}

#[derive(Clone, Copy)]
struct Person {
    plan: Plan,
    number: u64,
    requested: u32,
    was_in: bool,
}

#[derive(Clone, Copy)]
struct Slot {
    until: Micros,
    is_active: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stand {
    Waiting,
    Called,
    Active,
    Gone,
}

#[derive(Default)]
struct Store {
    last: u64,
    serving: u64,
    holders: BTreeMap<u64, u64>,
    departed: BTreeSet<u64>,
    slots: BTreeMap<u64, Slot>,
    /// When all budget used so far will have been refilled, in `batch` parts of a microsecond.
    spent: i64,
}

#[derive(Clone, Default)]
struct View {
    serving: u64,
    departed: BTreeSet<u64>,
}

pub(super) struct Model {
    setup: Setup,
    rng: Rng,
    store: Store,
    views: [View; 2],
    people: BTreeMap<u64, Person>,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    written: Vec<Line>,
}

/// The record of a sale, until every person has left.
pub(super) fn sale(setup: Setup) -> Vec<Line> {
    let mut model = Model {
        setup,
        rng: Rng::with_seed(setup.seed),
        store: Store::default(),
        views: Default::default(),
        people: BTreeMap::new(),
        events: BinaryHeap::new(),
        written: Vec::new(),
    };
    model.crowd();
    model.run();
    model.written
}

impl Model {
    fn crowd(&mut self) {
        for user in 1..=self.setup.people {
            let plan = self.plan();
            self.people.insert(user, Person { plan, number: 0, requested: 0, was_in: false });
            let comes = self.rng.i64(0..3_000 * MILLISECOND);
            let step = if plan == Plan::SendsJunk { Step::Junk } else { Step::Join };
            self.send(user, comes, step);
        }
        self.push(0, Event::Look(0));
        self.push(self.setup.look_every / 3, Event::Look(1));
    }

    fn plan(&mut self) -> Plan {
        match self.rng.u32(0..100) {
            0..4 => Plan::LeavesEarly,
            4..7 => Plan::NeverComes,
            7..10 => Plan::Stays,
            10..14 => Plan::JoinsAgain,
            14..16 => Plan::Hammers,
            16..18 => Plan::Pushes,
            18 => Plan::Forges,
            19 => Plan::SendsJunk,
            _ => Plan::Buys,
        }
    }

    fn push(&mut self, at: Micros, event: Event) {
        let shuffled = self.rng.u64(..);
        self.events.push(Reverse((at, shuffled, event)));
    }

    fn send(&mut self, user: u64, at: Micros, step: Step) {
        let on_its_way = self.rng.i64(0..20 * MILLISECOND);
        self.push(at + on_its_way, Event::Done(user, at, step));
    }

    fn run(&mut self) {
        let mut crowd_left = self.setup.people;
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            match event {
                Event::Look(node) => {
                    self.store.call(now, &self.setup);
                    let Store { serving, departed, .. } = &self.store;
                    self.views[node] = View { serving: *serving, departed: departed.clone() };
                    if crowd_left > 0 {
                        self.push(now + self.setup.look_every, event);
                    }
                }
                Event::Done(user, sent, step) => {
                    let goes_on = self.carry_out(user, sent, step, now);
                    crowd_left -= u64::from(!goes_on);
                }
            }
        }
    }

    /// Returns false once this person leaves.
    fn carry_out(&mut self, user: u64, sent: Micros, step: Step, now: Micros) -> bool {
        let answered = now + self.rng.i64(0..20 * MILLISECOND);
        let mut person = self.people[&user];
        let (answer, stand) = self.answer(user, &person, step, now);
        let is_lost = step != Step::Junk && self.rng.u32(0..100) == 0;
        let kind = match person.plan {
            Plan::Hammers => "hammer",
            Plan::Pushes => "impatient",
            Plan::Forges => "forger",
            Plan::SendsJunk => "junk",
            Plan::Buys | Plan::LeavesEarly | Plan::NeverComes | Plan::Stays | Plan::JoinsAgain => {
                "person"
            }
        };
        let mut line = if is_lost { unanswered(answer) } else { answer };
        line = line.with("sent", sent / MILLISECOND).with("answered", answered / MILLISECOND);
        self.written.push(line.with("kind", kind));
        let pause = answered + self.rng.i64(1..60) * MILLISECOND;
        if is_lost {
            self.send(user, pause, step);
            return true;
        }
        if step == Step::Join {
            person.number = self.store.holders.get(&user).copied().unwrap_or(person.number);
        }
        person.requested += 1;
        person.was_in |= stand == Stand::Active;
        let next = person.next(step, stand);
        self.people.insert(user, person);
        let Some((next, after)) = next else { return false };
        self.send(user, pause + after * MILLISECOND, next);
        true
    }

    fn answer(&mut self, user: u64, person: &Person, step: Step, now: Micros) -> (Line, Stand) {
        let node = self.rng.usize(0..self.setup.nodes);
        self.store.expire(now);
        let number = person.number;
        let reported = |what, number: u64, stand, position| {
            let reported =
                line(what, user, 0, 0, 200).with("number", number).with("state", word(stand));
            (reported.with("position", position), stand)
        };
        match step {
            Step::Join => {
                let number = self.store.join(user);
                self.store.call(now, &self.setup);
                let view = &mut self.views[node];
                view.serving = view.serving.max(self.store.serving);
                let stand = self.store.stand(number);
                reported("join", number, stand, view.position(number))
            }
            Step::Ask => {
                let view = &self.views[node];
                let stand = view.stand(number).unwrap_or_else(|| self.store.stand(number));
                let position = if stand == Stand::Waiting { view.position(number) } else { 0 };
                reported("ask", number, stand, position)
            }
            Step::Dates => {
                let claimed = || self.store.claim(number, now, &self.setup);
                let stand = self.views[node].stand(number).unwrap_or_else(claimed);
                let status = match stand {
                    Stand::Waiting | Stand::Called => 403,
                    Stand::Active => 200,
                    Stand::Gone => 410,
                };
                (line("dates", user, 0, 0, status).with("number", number), stand)
            }
            Step::Leave => {
                let status = if self.store.release(user, number) { 204 } else { 410 };
                (line("leave", user, 0, 0, status).with("number", number), Stand::Gone)
            }
            Step::Forge => (line("dates", user, 0, 0, 401).with("forged", true), Stand::Waiting),
            Step::Junk => (line("junk", user, 0, 0, 404), Stand::Gone),
        }
    }
}

impl Person {
    /// The next request, and the milliseconds before it; `None` for a person who leaves.
    fn next(&self, step: Step, stand: Stand) -> Option<(Step, i64)> {
        if stand == Stand::Gone || matches!(step, Step::Junk | Step::Leave) {
            return None;
        }
        let waits = if self.plan == Plan::Hammers { 30 } else { 400 };
        match (self.plan, stand) {
            (Plan::Forges, _) if self.requested.is_multiple_of(2) => Some((Step::Forge, 10)),
            (Plan::JoinsAgain, _) if self.requested == 3 => Some((Step::Join, 10)),
            (Plan::LeavesEarly, Stand::Waiting) if self.requested > 2 => Some((Step::Leave, 10)),
            (Plan::Pushes, Stand::Waiting) => Some((Step::Dates, waits)),
            (Plan::NeverComes, Stand::Called) if self.requested > 3 => None,
            (Plan::NeverComes, Stand::Called) => Some((Step::Ask, 50)),
            (_, Stand::Called) => Some((Step::Dates, 10)),
            (Plan::Stays, Stand::Active) => Some((Step::Dates, 150)),
            (_, Stand::Active) if step == Step::Dates && self.requested.is_multiple_of(3) => {
                Some((Step::Leave, 100))
            }
            (_, Stand::Active) => Some((Step::Dates, 60)),
            (_, Stand::Waiting | Stand::Gone) if self.was_in => Some((Step::Dates, 60)),
            (_, Stand::Waiting | Stand::Gone) => Some((Step::Ask, waits)),
        }
    }
}

impl View {
    /// `None` if only the store knows.
    fn stand(&self, number: u64) -> Option<Stand> {
        if number <= self.serving {
            None
        } else if self.departed.contains(&number) {
            Some(Stand::Gone)
        } else {
            Some(Stand::Waiting)
        }
    }

    fn position(&self, number: u64) -> u64 {
        if number <= self.serving {
            return 0;
        }
        number - self.serving - self.departed.range(self.serving + 1..number).count() as u64
    }
}

impl Store {
    fn join(&mut self, user: u64) -> u64 {
        if let Some(&held) = self.holders.get(&user)
            && self.stand(held) != Stand::Gone
        {
            return held;
        }
        self.last += 1;
        self.holders.insert(user, self.last);
        self.last
    }

    fn stand(&self, number: u64) -> Stand {
        match self.slots.get(&number) {
            Some(slot) if slot.is_active => Stand::Active,
            Some(_) => Stand::Called,
            None if number <= self.serving || self.departed.contains(&number) => Stand::Gone,
            None => Stand::Waiting,
        }
    }

    fn call(&mut self, now: Micros, setup: &Setup) {
        self.expire(now);
        let parts = now * setup.batch;
        while self.serving < self.last {
            let next = self.serving + 1;
            if !self.departed.remove(&next) {
                let spent = self.spent.max(parts) + setup.every;
                if spent - parts > setup.batch * setup.every || self.slots.len() >= setup.max_active
                {
                    break;
                }
                self.spent = spent;
                self.slots.insert(next, Slot { until: now + setup.claim_within, is_active: false });
            }
            self.serving = next;
        }
    }

    fn claim(&mut self, number: u64, now: Micros, setup: &Setup) -> Stand {
        if let Some(slot) = self.slots.get_mut(&number).filter(|slot| !slot.is_active) {
            *slot = Slot { until: now + setup.session_ttl, is_active: true };
        }
        self.stand(number)
    }

    fn release(&mut self, user: u64, number: u64) -> bool {
        let stands = self.stand(number) != Stand::Gone;
        if stands && self.slots.remove(&number).is_none() {
            self.departed.insert(number);
        }
        if stands {
            self.holders.remove(&user);
        }
        stands
    }

    fn expire(&mut self, now: Micros) {
        self.slots.retain(|_, slot| slot.until > now);
    }
}

fn unanswered(line: Line) -> Line {
    let Line(mut fields) = line;
    if let Some(fields) = fields.as_object_mut() {
        let knows_number = matches!(fields["what"].as_str(), Some("dates" | "leave"));
        fields.retain(|field, _| {
            knows_number && field == "number"
                || !matches!(field.as_str(), "number" | "state" | "position")
        });
    }
    Line(fields).with("status", 0)
}

fn word(stand: Stand) -> &'static str {
    match stand {
        Stand::Waiting => "WAITING",
        Stand::Called => "CALLED",
        Stand::Active => "ACTIVE",
        Stand::Gone => "EXPIRED",
    }
}
