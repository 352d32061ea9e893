// Joining, waiting, reading a concert's dates five times: up to 80 people.
import { sleep } from 'k6';
import { ask, dates, join, thresholds } from './lib/service.js';

export const options = {
  stages: [
    { duration: '15s', target: 50 },
    { duration: '15s', target: 80 },
    { duration: '15s', target: 50 },
  ],
  thresholds: thresholds(2000),
};

const CONCERT = 451;

export default function () {
  const place = join(36 + __VU);
  if (!place) return;
  sleep(40);
  ask(place.waitingToken);
  for (let i = 0; i < 5; i++) {
    dates(CONCERT, place.waitingToken);
    sleep(1);
  }
}
