// The whole sale. Each arrival is a person, who joins, polls at the given interval, reads the dates
// and leaves, or a hostile client. `-e KIND=` selects the kind of load; the default is a spike, the
// opening of the sale.
import exec from 'k6/execution';
import { SALE } from './config.js';
import { firstUserOfRun } from './lib/choose.js';
import { requireService } from './lib/service.js';
import { KIND, optionsOf } from './lib/load.js';
import { Client } from './lib/sale/client.js';
import { HOSTILE } from './lib/sale/hostile.js';
import { clients } from './lib/sale/metrics.js';
import { visit } from './lib/sale/person.js';
import { saleThresholds } from './lib/sale/thresholds.js';
import { summaryOf } from './lib/summary.js';

const kind = KIND || 'spike';

export const options = optionsOf('sale', {
  kind,
  routes: ['issue', 'query', 'dates', 'leave', 'concerts'],
  more: saleThresholds(kind),
  // The last arrival may wait for the whole patience, and reads after that.
  grace: `${SALE.patience + 30}s`,
});
export const handleSummary = summaryOf('sale', kind);

export function setup() {
  requireService();
  return { firstUser: firstUserOfRun() };
}

export default function (run) {
  const id = exec.scenario.iterationInTest;
  const sort = sortOf(id);
  const client = new Client(id, sort, run.firstUser + id);
  clients.add(1, client.tags);
  if (sort === 'person') visit(client);
  else HOSTILE[sort](client);
}

// The share is spread evenly over all arrivals, and the sorts take turns, so a short run has all of
// them too.
function sortOf(id) {
  const before = Math.floor(id * SALE.hostile);
  if (Math.floor((id + 1) * SALE.hostile) === before) return 'person';
  const sorts = Object.keys(HOSTILE);
  return sorts[before % sorts.length];
}
