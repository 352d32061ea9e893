// Sends tagged and timed requests, and parses the answers.
import http from 'k6/http';
import { BASE_URL } from '../config.js';

const OK = http.expectedStatuses({ min: 200, max: 399 });

// `tags.route` identifies requests, not the address: users and pages must not create separate
// series. `expected` lists the statuses that do not count as failures.
export function send(route, method, path, options) {
  const sent = Date.now();
  return taken(http.request(...request(route, method, path, options)), sent);
}

// Sends all at once. Each counts as sent with the first and answered with the last.
export function sendTogether(requests) {
  const sent = Date.now();
  return http.batch(requests.map((one) => asBatch(request(...one)))).map((response) => taken(response, sent));
}

function request(route, method, path, { token, body = null, headers = {}, tags = {}, expected } = {}) {
  return [method, `${BASE_URL}${path}`, body, {
    headers: token === undefined ? headers : { ...headers, waitingToken: token },
    tags: { name: route, route, ...tags },
    responseCallback: expected ? http.expectedStatuses(...expected) : OK,
    timeout: '20s',
  }];
}

function asBatch([method, url, body, params]) {
  return { method, url, body, params };
}

function taken(response, sent) {
  const body = parsed(response);
  return {
    status: response.status,
    code: response.status >= 400 && body ? body.code : undefined,
    body,
    retryAfter: Number(response.headers['Retry-After'] || 0),
    sent,
    answered: Date.now(),
  };
}

function parsed(response) {
  try {
    return response.body ? JSON.parse(response.body) : null;
  } catch {
    return null;
  }
}
