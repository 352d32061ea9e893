// Lists concerts, mostly the first pages. Without a KIND, runs as in the load-test report: up to
// 900 people without a pause.
import { listedConcerts } from './lib/answers.js';
import { somePage } from './lib/choose.js';
import { optionsOf } from './lib/load.js';
import { concerts, requireService } from './lib/service.js';
import { summaryOf } from './lib/summary.js';

export const options = optionsOf('concerts', { routes: ['concerts'] });
export const handleSummary = summaryOf('concerts');

export function setup() {
  requireService();
}

export default function () {
  listedConcerts(concerts(somePage()));
}
