// The sale's own metrics.
import { Counter, Trend } from 'k6/metrics';

export const clients = new Counter('sale_clients');
export const served = new Counter('sale_served');
export const noShows = new Counter('sale_no_shows');
// From the answer to the join until the first answer that reports the call; up to one `pollAfterMs`
// of it is the client's own delay.
export const waited = new Trend('sale_waited', true);
// Of people who had to wait: `etaSeconds` of the join, and by how much the wait was longer (below
// 0: shorter).
export const promised = new Trend('sale_promised', true);
export const late = new Trend('sale_later_than_promised', true);
// Refusals (403) of requests for dates before the call.
export const jumpsRefused = new Counter('sale_jumps_refused');
