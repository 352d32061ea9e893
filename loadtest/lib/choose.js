// Random choices of people.
import { CONCERTS, PAGE_SIZE } from '../config.js';

// The square of a uniform distribution: the first tenth of the pages gets a third of the readers.
export const somePage = () => 1 + Math.floor(Math.random() ** 2 * Math.floor(CONCERTS / PAGE_SIZE));

export const someConcert = () => 1 + Math.floor(Math.random() * CONCERTS);

export const oneOf = (things) => things[Math.floor(Math.random() * things.length)];

// The first user of a run. The clock gives each millisecond a thousand users, so that runs do not
// find each other's places.
export const firstUserOfRun = () => Date.now() * 1000;
