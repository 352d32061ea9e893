// A person who wants a ticket: joins, polls at the given interval, reads the dates, leaves.
import { check, sleep } from 'k6';
import { CONCERT, SALE } from '../../config.js';
import { joined, left, listedConcerts, readDates, toldPosition } from '../answers.js';
import { someConcert, somePage } from '../choose.js';
import { concerts } from '../service.js';
import { late, noShows, promised, served, waited } from './metrics.js';

const JOIN_ATTEMPTS = 10;

// Probabilities of occasional actions.
const LOOKS_BEFORE_JOINING = 0.3;
const LOOKS_WHILE_WAITING = 0.1;
const WANTS_ANOTHER_CONCERT = 0.2;

export function visit(client) {
  const leavesEarly = Math.random() < SALE.noShows ? closesTheBrowser() : null;
  look(client, LOOKS_BEFORE_JOINING);
  if (!joinAtLast(client)) return;
  if (leavesEarly === 'waiting') return vanishWaiting(client);
  if (!waitForCall(client)) return giveUp(client);
  if (leavesEarly === 'called') return noShows.add(1, { when: 'called' });
  const isGood = read(client);
  // Reads the remaining time of the session.
  toldPosition(client.ask(), client.tags);
  if (left(client.leave(), client.tags) && isGood) served.add(1, client.tags);
}

const closesTheBrowser = () => (Math.random() < 0.5 ? 'waiting' : 'called');

function look(client, share) {
  if (Math.random() < share) listedConcerts(concerts(somePage(), { tags: client.tags }), client.tags);
}

// Retries a refused join after the given delay.
function joinAtLast(client) {
  for (let n = 0; n < JOIN_ATTEMPTS; n++) {
    const answer = client.join();
    if (joined(answer, client.tags)) return true;
    sleep(answer.retryAfter || 1);
  }
  return false;
}

function vanishWaiting(client) {
  noShows.add(1, { when: 'waiting' });
  if (!client.isWaiting()) return;
  sleep(client.told.pollAfterMs / 1000);
  toldPosition(client.ask(), client.tags);
}

// Returns whether the call came before the patience ended.
function waitForCall(client) {
  const { number, etaSeconds } = client.told;
  const hadToWait = client.isWaiting();
  const since = Date.now();
  while (client.isWaiting() && Date.now() - since < 1000 * SALE.patience) askAsTold(client);
  const isCalled = check(client, {
    'was called': (c) => c.told.status === 'CALLED' || c.told.status === 'ACTIVE',
    'kept the number': (c) => c.told.number === number,
  }, client.tags);
  if (isCalled) tellTheWait(client, Date.now() - since, hadToWait ? etaSeconds : null);
  return isCalled;
}

function askAsTold(client) {
  sleep(client.told.pollAfterMs / 1000);
  look(client, LOOKS_WHILE_WAITING);
  const answer = client.ask();
  if (!toldPosition(answer, client.tags)) sleep(answer.retryAfter || 1);
}

function tellTheWait(client, milliseconds, etaSeconds) {
  waited.add(milliseconds, client.tags);
  if (etaSeconds === null) return;
  promised.add(1000 * etaSeconds, client.tags);
  late.add(milliseconds - 1000 * etaSeconds, client.tags);
}

function giveUp(client) {
  left(client.leave(), client.tags);
}

// Returns whether all reads were good.
function read(client) {
  let isGood = true;
  for (let n = 0; n < SALE.reads; n++) {
    if (n > 0) sleep(SALE.think * (0.5 + Math.random()));
    const concert = Math.random() < WANTS_ANOTHER_CONCERT ? someConcert() : CONCERT;
    isGood = readDates(client.dates(concert), concert, client.tags) && isGood;
  }
  return isGood;
}
