// The configuration of the load tests: the address of the service, the thresholds, and the load of
// each kind. Every value can be set by environment (`k6 run -e RATE=200`); README.md has the list.

export const BASE_URL = __ENV.BASE_URL || 'http://localhost:8081/api/v1';

// The sample catalog. Concert 451 is the one of the load-test report.
export const CONCERTS = Number(__ENV.CONCERTS || 10000);
export const CONCERT = Number(__ENV.CONCERT || 451);
export const DATES_OF_CONCERT = Number(__ENV.DATES_OF_CONCERT || 3);
export const PAGE_SIZE = Number(__ENV.PAGE_SIZE || 10);

// Thresholds of the open kinds: milliseconds for each route (p95 is the limit of the load-test
// report), and the share of requests that may fail.
export const LIMITS = {
  p95: Number(__ENV.P95 || 1000),
  p99: Number(__ENV.P99 || 2000),
  p999: Number(__ENV.P999 || 5000),
  failed: Number(__ENV.FAILED || 0.001),
};

// The load of each kind. `rate` is iterations a second at the highest, `hold` how long that rate
// lasts, `rise` how long it takes to get there, `busy` how many seconds an iteration may keep a
// virtual user: there are `rate x busy` of them.
//
// The values suit a service on one core and k6 on another, where k6 itself reaches its limit at
// some thousands a second.
export const LOADS = {
  // A person joins.
  issue: {
    smoke: { rate: 20, hold: '5s', busy: 1 },
    average: { rate: 300, hold: '1m', busy: 1 },
    stress: { rate: 800, rise: '15s', hold: '1m', busy: 1 },
    spike: { rate: 1000, hold: '15s', tail: '15s', busy: 1 },
    soak: { rate: 200, hold: '30m', busy: 1 },
    breakpoint: { rate: 8000, rise: '4m', busy: 0.2 },
  },
  // A person reads a page of the concert list.
  concerts: {
    smoke: { rate: 20, hold: '5s', busy: 1 },
    average: { rate: 300, hold: '1m', busy: 1 },
    stress: { rate: 800, rise: '15s', hold: '1m', busy: 1 },
    spike: { rate: 1000, hold: '15s', tail: '15s', busy: 1 },
    soak: { rate: 200, hold: '30m', busy: 1 },
    breakpoint: { rate: 8000, rise: '4m', busy: 0.2 },
  },
  // A person with a session reads the dates. In a run longer than a session they have to join
  // again, so more may be busy.
  dates: {
    smoke: { rate: 20, hold: '5s', busy: 1 },
    average: { rate: 300, hold: '1m', busy: 1 },
    stress: { rate: 800, rise: '15s', hold: '1m', busy: 1 },
    spike: { rate: 1000, hold: '15s', tail: '15s', busy: 1 },
    soak: { rate: 200, hold: '30m', busy: 4 },
    breakpoint: { rate: 8000, rise: '4m', busy: 0.2 },
  },
  // A person comes for a ticket and stays until they leave. By default 100 a second are called, so
  // the queue grows above that rate, and each waiting person keeps a virtual user.
  sale: {
    smoke: { rate: 10, hold: '4s', busy: 10 },
    average: { rate: 100, hold: '1m', busy: 8 },
    stress: { rate: 150, rise: '10s', hold: '45s', busy: 14 },
    spike: { rate: 300, hold: '9s', tail: '10s', busy: 8 },
    soak: { rate: 50, hold: '30m', busy: 10 },
    breakpoint: { rate: 300, rise: '4m', busy: 10 },
  },
};

// The closed model of the report: this many people without a pause between requests, or, for the
// dates, with think time.
export const REPORT = {
  issue: { stages: [['15s', 200], ['15s', 450], ['15s', 200], ['15s', 0]], limit: 1000 },
  concerts: { stages: [['15s', 500], ['15s', 900], ['15s', 500], ['15s', 0]], limit: 1000 },
  dates: { stages: [['15s', 50], ['15s', 80], ['15s', 50]], limit: 2000 },
};

// The number of different users who join in turn: few enough that the queue is never full, many
// enough for a long queue.
export const USERS = Number(__ENV.USERS || 400000);

// The number of people who are admitted before the reading starts, and share it.
export const READERS = Number(__ENV.READERS || 200);

// The behaviour of people at the sale. Shares are of all arrivals; times are maxima in seconds.
export const SALE = {
  hostile: Number(__ENV.HOSTILE || 0.2),
  noShows: Number(__ENV.NO_SHOWS || 0.05),
  // A person who waits longer gives up, and the run fails.
  patience: Number(__ENV.PATIENCE || 300),
  reads: Number(__ENV.READS || 3),
  think: Number(__ENV.THINK || 1),
};
