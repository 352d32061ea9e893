// A place in the line, held until it is called.
import { sleep } from 'k6';
import { joined, toldPosition } from './answers.js';
import { ask, join } from './service.js';

// As told, and never for ever.
const QUESTIONS = 120;

// The token of `user`, who has been called or is active.
export function letIn(user) {
  return untilCalled(placeOf(user));
}

export function placeOf(user) {
  const answer = join(user);
  if (!joined(answer)) throw new Error(`user ${user} could not join: ${answer.status} ${answer.code || ''}`);
  return told(answer);
}

// With the time from which on it may be asked about again.
function told(answer) {
  return { ...answer.body, due: answer.answered + answer.body.pollAfterMs };
}

// The token of the place. An error when it is not called: a run without it shows nothing.
export function untilCalled(place) {
  let last = place;
  for (let n = 0; n < QUESTIONS && last.status === 'WAITING'; n++) {
    sleep(Math.max(0, last.due - Date.now()) / 1000);
    const answer = ask(place.waitingToken);
    if (toldPosition(answer)) last = told(answer);
  }
  if (last.status !== 'CALLED' && last.status !== 'ACTIVE') throw new Error(`number ${place.number} was not called`);
  return place.waitingToken;
}
