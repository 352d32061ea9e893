// What a run has to keep; one place, so that no scenario is easier than another.
import { LIMITS } from '../config.js';

// The limits of the load-test report, for its closed model.
export const ofTheReport = (milliseconds) => ({
  http_req_duration: [`p(90)<${milliseconds}`, `p(95)<${milliseconds}`],
  http_req_failed: ['rate<0.01'],
  checks: ['rate>0.99'],
});

// An open model that could not begin every iteration when it was due has measured something else: the run is void.
export const keeping = (routes) => ({
  ...perRoute(routes, [`p(95)<${LIMITS.p95}`, `p(99)<${LIMITS.p99}`, `p(99.9)<${LIMITS.p999}`]),
  http_req_failed: [`rate<${LIMITS.failed}`],
  checks: ['rate==1'],
  dropped_iterations: ['count==0'],
});

// The run ends with the first that breaks. It may be k6 that does: then iterations are dropped. A hiccup is not yet the
// end, a second's worth of the highest rate is.
export const breaking = (routes, rate) => ({
  ...perRoute(routes, [ending(`p(99)<${LIMITS.p99}`)]),
  http_req_failed: [ending('rate<0.01')],
  checks: [ending('rate>0.99')],
  dropped_iterations: [ending(`count<${rate}`)],
});

function perRoute(routes, limits) {
  const durations = routes.map((route) => [`http_req_duration{route:${route}}`, limits]);
  // A percentile of no answers is 0 and would hold.
  const asked = routes.map((route) => [`http_reqs{route:${route}}`, ['count>0']]);
  return Object.fromEntries([...durations, ...asked]);
}

// A limit that ends the run, once it has begun properly.
export function ending(threshold) {
  return { threshold, abortOnFail: true, delayAbortEval: '10s' };
}
