// Issuing waiting tokens: up to 450 people who press the button again and again.
import { join, thresholds } from './lib/service.js';

export const options = {
  stages: [
    { duration: '15s', target: 200 },
    { duration: '15s', target: 450 },
    { duration: '15s', target: 200 },
    { duration: '15s', target: 0 },
  ],
  thresholds: thresholds(1000),
};

export default function () {
  join(36 + __VU);
}
