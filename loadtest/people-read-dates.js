// Reads dates: 600 people (PEOPLE) each request the dates of a concert every second for half a
// minute. The replaced service failed at this with a tenth of them.
import { sleep } from 'k6';
import exec from 'k6/execution';
import { joined, readDates } from './lib/answers.js';
import { someConcert } from './lib/choose.js';
import { dates, join, requireService } from './lib/service.js';
import { summaryOf } from './lib/summary.js';
import { ofTheReport } from './lib/thresholds.js';

const PEOPLE = Number(__ENV.PEOPLE || 600);

export const options = {
  scenarios: {
    people: { executor: 'per-vu-iterations', vus: PEOPLE, iterations: 30, maxDuration: '2m' },
  },
  thresholds: { ...ofTheReport(1000), http_req_failed: ['rate==0'], checks: ['rate==1'] },
  summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max', 'count'],
};
export const handleSummary = summaryOf('people-read-dates', 'report');

export function setup() {
  requireService();
}

let token;

export default function () {
  // Everyone is admitted within seconds of the start; the first request for dates comes after that.
  if (!token) {
    const place = join(1000 + exec.vu.idInTest);
    if (!joined(place)) return;
    token = place.body.waitingToken;
    sleep(10 + Math.random());
  }
  const concert = someConcert();
  readDates(dates(concert, token), concert);
  sleep(1);
}
