// Builds k6's options from a scenario and the kind of load, selected by `-e KIND=`.
import { LOADS, REPORT } from '../config.js';
import { breaking, keeping, ofTheReport } from './thresholds.js';

// How long iterations may continue after the last has begun, unless the scenario sets another
// value.
const GRACE = '10s';

const TREND_STATS = ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max', 'count'];

export const KIND = __ENV.KIND;

// Whether the size is that of the table.
export const IS_OF_THE_TABLE = !__ENV.RATE && !__ENV.PEOPLE && !__ENV.SCALE;

// The load of `kind` of `scenario`, with changes by environment.
export function loadOf(scenario, kind) {
  const load = LOADS[scenario][kind];
  const kinds = Object.keys(LOADS[scenario]).join(', ');
  if (!load) throw new Error(`there is no ${kind} of ${scenario}: KIND is one of ${kinds}`);
  const hold = __ENV.DURATION || load.hold;
  const rate = Number(__ENV.RATE) || rateOfPeople(hold) || load.rate * Number(__ENV.SCALE || 1);
  const changed = { ...load, rate: Math.max(1, Math.round(rate)), hold };
  return kind === 'breakpoint' && __ENV.DURATION ? { ...changed, rise: __ENV.DURATION } : changed;
}

// `routes` get thresholds, `more` are further thresholds of the scenario, `grace` is how long its
// iterations may continue.
export function optionsOf(scenario, { routes, more = {}, grace = GRACE, kind = KIND }) {
  if (!kind || kind === 'report') return reportOptions(scenario);
  const load = { scenario, kind, ...loadOf(scenario, kind) };
  const limits = kind === 'breakpoint' ? breaking(routes, load.rate) : keeping(routes);
  return {
    scenarios: { [scenario]: { ...EXECUTORS[kind](load), gracefulStop: grace } },
    thresholds: { ...limits, ...more },
    summaryTrendStats: TREND_STATS,
    batchPerHost: 0,
    setupTimeout: '5m',
  };
}

function reportOptions(scenario) {
  if (!REPORT[scenario]) throw new Error(`the report has no ${scenario}: choose a KIND`);
  const { stages, limit } = REPORT[scenario];
  return {
    stages: stages.map(([duration, target]) => ({ duration, target })),
    thresholds: ofTheReport(limit),
    summaryTrendStats: TREND_STATS,
  };
}

const EXECUTORS = {
  smoke: constant,
  average: constant,
  soak: constant,
  stress: (load) => ramping(load, [[load.rise, load.rate], [load.hold, load.rate], [load.rise, 0]]),
  // From zero to the full rate within a second, and latecomers after that.
  spike: (load) => {
    const late = Math.max(1, Math.round(load.rate / 30));
    return ramping(load, [['1s', load.rate], [load.hold, load.rate], ['1s', late], [load.tail, late]]);
  },
  // k6 may add virtual users here: the run may also end at k6's own limit.
  breakpoint: (load) => ({ ...ramping(load, [[load.rise, load.rate]]), maxVUs: 2 * people(load) }),
};

function constant(load) {
  const { rate, hold } = load;
  return { executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: hold, ...virtualUsers(load) };
}

function ramping(load, stages) {
  return {
    executor: 'ramping-arrival-rate',
    startRate: 0,
    timeUnit: '1s',
    stages: stages.map(([duration, target]) => ({ duration, target })),
    ...virtualUsers(load),
  };
}

// All virtual users are created beforehand: creating one during the run takes processor time from
// the others.
function virtualUsers(load) {
  return { preAllocatedVUs: people(load), maxVUs: people(load) };
}

function people(load) {
  return Number(__ENV.VUS) || Math.ceil(load.rate * load.busy) + 10;
}

// PEOPLE arrive within the seconds of the highest rate; half a second's worth of them while it
// rises, and half while it falls.
function rateOfPeople(hold) {
  return __ENV.PEOPLE ? Number(__ENV.PEOPLE) / (seconds(hold) + 1) : 0;
}

function seconds(duration) {
  const units = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const parts = [...String(duration).matchAll(/([\d.]+)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0);
}
