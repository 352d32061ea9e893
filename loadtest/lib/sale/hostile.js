// Hostile clients. Each lists the answers it may get; any other fails the run. 429 is always among
// them, because limits are the operator's choice.
import { check, sleep } from 'k6';
import { CONCERT } from '../../config.js';
import { joined, left } from '../answers.js';
import { dates, ask, leave } from '../service.js';
import { oneOf } from '../choose.js';
import { FORGERIES } from './forgeries.js';
import { sendJunk } from './junk.js';
import { jumpsRefused } from './metrics.js';

export const HOSTILE = { hammer, jumper, forger, impatient, junk, replayer };

const TIMES_AT_ONCE = 5;
const JUMPS = 5;
const QUESTIONS = 40;
const FORGED = 6;
const PIECES_OF_JUNK = 6;

// Longer than any node may use a stale view of the queue (`queue.stale_after`).
const VIEW = 1.5;

// Joins repeatedly, at once.
function hammer(client) {
  const first = client.joinTogether(TIMES_AT_ONCE, [200, 429]);
  const answers = [...first, client.join([200, 429])];
  const places = answers.filter((answer) => answer.status === 200);
  check(places, {
    'hammer: has a place': (all) => all.length > 0,
    'hammer: one number however often it joins': (all) => new Set(all.map((a) => a.body.number)).size === 1,
  }, client.tags);
  check(answers, { 'hammer: all answered': (all) => all.every((a) => isOneOf(a, [200, 429])) }, client.tags);
  if (places.length > 0) left(client.leave(), client.tags);
}

// Requests the dates before its call. If the call comes meanwhile, the status says so too.
function jumper(client) {
  if (!joined(client.join(), client.tags)) return;
  for (let n = 0; n < JUMPS; n++) {
    const answer = client.dates(CONCERT, [200, 403, 429]);
    check(answer, { 'jumper: let in or told to wait': isLetInOrTold }, client.tags);
    if (answer.status === 200) {
      sleep(VIEW);
      client.ask();
      check(client, { 'jumper: let in when called': (c) => isOneOf(c.told, ['CALLED', 'ACTIVE']) }, client.tags);
      break;
    }
    if (answer.status === 403) jumpsRefused.add(1);
    sleep(0.2);
  }
  left(client.leave(), client.tags);
}

function isLetInOrTold(answer) {
  if (answer.status !== 403) return isOneOf(answer, [200, 429]);
  return answer.code === 'NOT_YOUR_TURN' && answer.retryAfter >= 1 && answer.body.position >= 1;
}

// Alters its token and makes up others. Its own place is unaffected.
function forger(client) {
  if (!joined(client.join(), client.tags)) return;
  for (let n = 0; n < FORGED; n++) {
    const token = FORGERIES[n % FORGERIES.length](client.token);
    const [what, request] = oneOf(WITH_A_TOKEN);
    const answer = client.forge(what, request, token);
    check(answer, { 'forger: refused': (a) => a.status === 401 && REFUSALS.includes(a.code) }, client.tags);
  }
  const own = client.ask();
  check(own, { 'forger: still has its place': (a) => a.status === 200 && a.body.number === client.number }, client.tags);
  left(client.leave(), client.tags);
}

const REFUSALS = ['TOKEN_INVALID', 'TOKEN_MISSING'];

const WITH_A_TOKEN = [
  ['ask', ask],
  ['dates', (token, options) => dates(CONCERT, token, options)],
  ['leave', leave],
];

// Polls without a pause.
function impatient(client) {
  if (!joined(client.join(), client.tags)) return;
  for (let n = 0; n < QUESTIONS; n++) {
    const answer = client.ask([200, 429]);
    const isGood = answer.status === 429 || (answer.status === 200 && answer.body.number === client.number);
    check(isGood, { 'impatient: told its number, or to slow down': (it) => it }, client.tags);
  }
  left(client.leave(), client.tags);
}

function junk(client) {
  for (let n = 0; n < PIECES_OF_JUNK; n++) sendJunk(client);
}

// Uses its token after leaving, and joins again.
function replayer(client) {
  if (!joined(client.join(), client.tags)) return;
  const number = client.number;
  if (!left(client.leave(), client.tags)) return;
  const read = client.dates(CONCERT, [403, 410]);
  check(read, { 'replayer: not let in with what it gave back': (a) => isOneOf(a, [403, 410]) }, client.tags);
  const again = client.leave([410]);
  check(again, { 'replayer: gives nothing back twice': (a) => a.status === 410 && a.code === 'PLACE_GONE' }, client.tags);
  if (!joined(client.join(), client.tags)) return;
  check(client, { 'replayer: its new place is further back': (c) => c.number > number }, client.tags);
  left(client.leave(), client.tags);
}

function isOneOf(answer, statuses) {
  return statuses.includes(answer.status);
}
