// Reads the dates of a concert. Without a KIND, runs as in the load-test report: up to 80 people
// join, wait 40 s, and read them five times. The open kinds read with places admitted beforehand,
// which measures the reading and not the pace of the queue.
import { sleep } from 'k6';
import exec from 'k6/execution';
import { CONCERT, READERS } from './config.js';
import { joined, readDates, toldPosition } from './lib/answers.js';
import { firstUserOfRun } from './lib/choose.js';
import { KIND, optionsOf } from './lib/load.js';
import { letIn, placeOf, untilCalled } from './lib/place.js';
import { ask, dates, join, requireService } from './lib/service.js';
import { summaryOf } from './lib/summary.js';

const IS_REPORT = !KIND || KIND === 'report';

export const options = optionsOf('dates', { routes: ['dates'] });
export const handleSummary = summaryOf('dates');

// All join before the first one waits, so that the queue calls them together.
export function setup() {
  requireService();
  if (IS_REPORT) return {};
  const firstUser = firstUserOfRun();
  const places = [];
  for (let n = 0; n < READERS; n++) places.push(placeOf(firstUser + n));
  return { firstUser, tokens: places.map(untilCalled) };
}

export default function (run) {
  if (IS_REPORT) return asInTheReport();
  readOnce(run, exec.vu.idInTest % READERS);
}

function asInTheReport() {
  const place = join(36 + __VU);
  if (!joined(place)) return;
  const token = place.body.waitingToken;
  sleep(40);
  toldPosition(ask(token));
  for (let n = 0; n < 5; n++) {
    readDates(dates(CONCERT, token), CONCERT);
    sleep(1);
  }
}

// Sessions may end during a run, even the moment after another virtual user of the same reader
// renewed its own.
const ATTEMPTS = 3;

// The token that this virtual user got since then.
let renewed;

function readOnce(run, reader) {
  let answer;
  for (let n = 0; n < ATTEMPTS; n++) {
    answer = dates(CONCERT, renewed || run.tokens[reader], { expected: [200, 410] });
    if (answer.status !== 410) break;
    renewed = letIn(run.firstUser + reader);
  }
  readDates(answer, CONCERT);
}
