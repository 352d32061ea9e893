// Issuing waiting tokens. Without a KIND as in the load-test report: up to 450 people who press the button again and again.
import exec from 'k6/execution';
import { USERS } from './config.js';
import { joined } from './lib/answers.js';
import { firstUserOfRun } from './lib/choose.js';
import { KIND, optionsOf } from './lib/load.js';
import { join } from './lib/service.js';
import { summaryOf } from './lib/summary.js';

export const options = optionsOf('issue', { routes: ['issue'] });
export const handleSummary = summaryOf('issue');

export function setup() {
  return { firstUser: firstUserOfRun() };
}

export default function (run) {
  const isReport = !KIND || KIND === 'report';
  joined(join(isReport ? 36 + __VU : run.firstUser + (exec.scenario.iterationInTest % USERS)));
}
