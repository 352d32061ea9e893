// Issues waiting tokens. Without a KIND, runs as in the load-test report: up to 450 people who join
// repeatedly.
import exec from 'k6/execution';
import { USERS } from './config.js';
import { joined } from './lib/answers.js';
import { firstUserOfRun } from './lib/choose.js';
import { KIND, optionsOf } from './lib/load.js';
import { join, requireService } from './lib/service.js';
import { summaryOf } from './lib/summary.js';

export const options = optionsOf('issue', { routes: ['issue'] });
export const handleSummary = summaryOf('issue');

export function setup() {
  requireService();
  return { firstUser: firstUserOfRun() };
}

export default function (run) {
  const isReport = !KIND || KIND === 'report';
  joined(join(isReport ? 36 + __VU : run.firstUser + (exec.scenario.iterationInTest % USERS)));
}
