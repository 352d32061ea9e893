// A place in the queue, kept until it is called.
import { sleep } from 'k6';
import { joined, toldPosition } from './answers.js';
import { ask, join } from './service.js';

// The most polls for one place.
const QUESTIONS = 120;

// The token of `user`, once called or active.
export function letIn(user) {
  return untilCalled(placeOf(user));
}

export function placeOf(user) {
  const answer = join(user);
  if (!joined(answer)) throw new Error(`user ${user} could not join: ${answer.status} ${answer.code || ''}`);
  return told(answer);
}

// The answer, with the time of the next poll.
function told(answer) {
  return { ...answer.body, due: answer.answered + answer.body.pollAfterMs };
}

// The token of the place, once called. Throws if it is not called, because a run without it shows
// nothing.
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
