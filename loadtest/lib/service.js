// The requests of the service's API.
import http from 'k6/http';
import exec from 'k6/execution';
import { BASE_URL } from '../config.js';
import { send } from './http.js';

// For setup(): stops the test with one line if no service answers at BASE_URL, instead of failing
// each request.
export function requireService() {
  const { status, error } = http.get(`${BASE_URL}/concerts/query?page=1`, { responseCallback: null, timeout: '10s' });
  if (status !== 200) {
    exec.test.abort(`no service answers at ${BASE_URL} (${error || `status ${status}`}): start it, or set BASE_URL`);
  }
}

export const issuing = (user, options) => ['issue', 'POST', `/user/${user}/queue/token/issue`, options];

export const join = (user, options) => send(...issuing(user, options));

export const ask = (token, options) => send('query', 'GET', '/user/queue/token/query', { ...options, token });

export const dates = (concert, token, options) => send('dates', 'GET', `/concert/${concert}/date`, { ...options, token });

export const leave = (token, options) => send('leave', 'DELETE', '/user/queue/token', { ...options, token });

export const concerts = (page, options) => send('concerts', 'GET', `/concerts/query?page=${page}`, options);
