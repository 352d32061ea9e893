// Listing concerts: up to 900 people, mostly on the first pages.
import { concerts, thresholds } from './lib/service.js';

export const options = {
  stages: [
    { duration: '15s', target: 500 },
    { duration: '15s', target: 900 },
    { duration: '15s', target: 500 },
    { duration: '15s', target: 0 },
  ],
  thresholds: thresholds(1000),
};

export default function () {
  // The square of an even spread: the first tenth of the pages gets a third of the readers.
  concerts(1 + Math.floor(Math.random() ** 2 * 1000));
}
