// Invalid requests.
import { check } from 'k6';
import { oneOf } from '../choose.js';
import { send } from '../http.js';
import { record } from '../record.js';

const USERS = ['0', '-1', '1.5', '1e9', 'abc', '9223372036854775808', '%00', '%ff%fe', '..%2f..', 'a'.repeat(300), "1'--"];

const PAGES = ['0', '-1', 'abc', '1.5', '4294967296', '99999999999999999999999', '1&page=2', '%ff', '%00'];

const CONCERTS = ['0', '-1', 'abc', '9223372036854775808', '9223372036854775807', '%ff'];

const ROUTES = ['/', '/nothing', '/concert/451/seats', '/user/1/queue', '/concerts/query/..%2f', '/%2e%2e/%2e%2e/etc/passwd'];

const METHODS = [['GET', '/user/1/queue/token/issue'], ['POST', '/concerts/query?page=1'], ['PUT', '/user/queue/token']];

const JUNK = [
  () => ['POST', `/user/${oneOf(USERS)}/queue/token/issue`],
  () => ['GET', `/concerts/query?page=${oneOf(PAGES)}`],
  () => ['GET', `/concert/${oneOf(CONCERTS)}/date`],
  () => ['GET', oneOf(ROUTES)],
  () => oneOf(METHODS),
  () => ['POST', '/user/1/queue/token/issue', { body: 'x'.repeat(10000) }],
  () => ['GET', '/user/queue/token/query', { headers: { waitingToken: 'x'.repeat(20000) } }],
];

// The answer must be a 4xx.
export function sendJunk(client) {
  const [method, path, options = {}] = oneOf(JUNK)();
  const expected = [{ min: 400, max: 499 }];
  const answer = send('junk', method, path, { ...options, tags: client.tags, expected });
  record(client, 'junk', answer);
  check(answer, { 'junk: refused': (a) => a.status >= 400 && a.status < 500 }, client.tags);
}
