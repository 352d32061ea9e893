// What people choose.
import { CONCERTS, PAGE_SIZE } from '../config.js';

// The square of an even spread: the first tenth of the pages gets a third of the readers.
export const somePage = () => 1 + Math.floor(Math.random() ** 2 * Math.floor(CONCERTS / PAGE_SIZE));

export const someConcert = () => 1 + Math.floor(Math.random() * CONCERTS);

export const oneOf = (things) => things[Math.floor(Math.random() * things.length)];

// Users of a run of their own, so that runs do not find each other's places: a thousand for each millisecond.
export const firstUserOfRun = () => Date.now() * 1000;
