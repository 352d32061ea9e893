// What the sale counts besides what k6 counts.
import { Counter, Trend } from 'k6/metrics';

export const clients = new Counter('sale_clients');
export const served = new Counter('sale_served');
export const noShows = new Counter('sale_no_shows');
// From the answer to the join until the first answer that says it is one's turn; up to one `pollAfterMs` is the client's own.
export const waited = new Trend('sale_waited', true);
// Of those who had to wait: `etaSeconds` of the join, and by how much it took longer (below 0: shorter).
export const promised = new Trend('sale_promised', true);
export const late = new Trend('sale_later_than_promised', true);
// Answers that said "not your turn" to somebody who asked for the dates all the same.
export const jumpsRefused = new Counter('sale_jumps_refused');
