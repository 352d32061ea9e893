// The report's target: 6,000 people a minute get through the line to the dates. Open model: 100 arrive every second,
// however fast they are served; a run that could not start them all is void.
import { sleep } from 'k6';
import exec from 'k6/execution';
import { ask, dates, join, leave, thresholds } from './lib/service.js';

export const options = {
  scenarios: {
    arrivals: {
      executor: 'constant-arrival-rate',
      rate: 100,
      timeUnit: '1s',
      duration: __ENV.DURATION || '60s',
      preAllocatedVUs: 300,
      maxVUs: 1000,
    },
  },
  thresholds: Object.assign({ dropped_iterations: ['count==0'] }, thresholds(1000)),
};

// Users of a run of their own, so that runs do not find each other's places. Once a run, not once a virtual user.
export function setup() {
  return { firstUser: Date.now() };
}

export default function (run) {
  const place = join(run.firstUser + exec.scenario.iterationInTest);
  if (!place) return;
  let outlook = place;
  // As told, and never for ever.
  for (let asked = 0; outlook && outlook.status === 'WAITING' && asked < 60; asked++) {
    sleep(outlook.pollAfterMs / 1000);
    outlook = ask(place.waitingToken);
  }
  dates(451, place.waitingToken);
  leave(place.waitingToken);
}
