// Reading dates with nothing between the questions and the catalogue: 600 people, or as many as PEOPLE says, each asking
// for the dates of a concert every second for half a minute. The service we replace failed at this with a tenth of them.
import { sleep } from 'k6';
import exec from 'k6/execution';
import { dates, join, thresholds } from './lib/service.js';

const PEOPLE = Number(__ENV.PEOPLE || 600);
const CONCERTS = Number(__ENV.CONCERTS || 10000);

export const options = {
  scenarios: {
    people: { executor: 'per-vu-iterations', vus: PEOPLE, iterations: 30, maxDuration: '2m' },
  },
  thresholds: { ...thresholds(1000), http_req_failed: ['rate==0'], checks: ['rate==1'] },
};

let place;

export default function () {
  // Everybody is let in within seconds of the start; their first question comes after that.
  if (!place) {
    place = join(1000 + exec.vu.idInTest);
    sleep(10 + Math.random());
  }
  if (!place) return;
  dates(1 + Math.floor(Math.random() * CONCERTS), place.waitingToken);
  sleep(1);
}
