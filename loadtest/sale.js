// The whole sale. Everybody who arrives is one person, who joins, waits as told, reads the dates and leaves, or a hostile
// client, who does not. The kind of load is chosen by `-e KIND=`; without it the sale opens: a spike.
import exec from 'k6/execution';
import { SALE } from './config.js';
import { firstUserOfRun } from './lib/choose.js';
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
  // Whoever comes last may wait for as long as patience lasts, and reads after that.
  grace: `${SALE.patience + 30}s`,
});
export const handleSummary = summaryOf('sale', kind);

export function setup() {
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

// The share is spread evenly, and each sort takes its turn: a short run has all of them too.
function sortOf(id) {
  const before = Math.floor(id * SALE.hostile);
  if (Math.floor((id + 1) * SALE.hostile) === before) return 'person';
  const sorts = Object.keys(HOSTILE);
  return sorts[before % sorts.length];
}
