// The thresholds of a run, in one place so that they are the same for all scenarios.
import { LIMITS } from '../config.js';

// The limits of the load-test report, for its closed model.
export const ofTheReport = (milliseconds) => ({
  http_req_duration: [`p(90)<${milliseconds}`, `p(95)<${milliseconds}`],
  http_req_failed: ['rate<0.01'],
  checks: ['rate>0.99'],
});

// A run in an open model that could not begin every iteration when it was due has measured
// something else, and is void.
export const keeping = (routes) => ({
  ...perRoute(routes, [`p(95)<${LIMITS.p95}`, `p(99)<${LIMITS.p99}`, `p(99.9)<${LIMITS.p999}`]),
  http_req_failed: [`rate<${LIMITS.failed}`],
  checks: ['rate==1'],
  dropped_iterations: ['count==0'],
});

// The first crossed threshold ends the run. k6 itself may be the limit: then iterations are
// dropped. A few dropped iterations do not end the run; a second's worth of the highest rate does.
export const breaking = (routes, rate) => ({
  ...perRoute(routes, [ending(`p(99)<${LIMITS.p99}`)]),
  http_req_failed: [ending('rate<0.01')],
  checks: [ending('rate>0.99')],
  dropped_iterations: [ending(`count<${rate}`)],
});

function perRoute(routes, limits) {
  const durations = routes.map((route) => [`http_req_duration{route:${route}}`, limits]);
  // A percentile without answers is 0 and would hold.
  const asked = routes.map((route) => [`http_reqs{route:${route}}`, ['count>0']]);
  return Object.fromEntries([...durations, ...asked]);
}

// A threshold that ends the run, after the first seconds.
export function ending(threshold) {
  return { threshold, abortOnFail: true, delayAbortEval: '10s' };
}
