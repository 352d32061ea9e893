// Listing concerts, mostly the first pages. Without a KIND as in the load-test report: up to 900 people without a pause.
import { listedConcerts } from './lib/answers.js';
import { somePage } from './lib/choose.js';
import { optionsOf } from './lib/load.js';
import { concerts } from './lib/service.js';
import { summaryOf } from './lib/summary.js';

export const options = optionsOf('concerts', { routes: ['concerts'] });
export const handleSummary = summaryOf('concerts');

export default function () {
  listedConcerts(concerts(somePage()));
}
