// What every scenario needs of the service: where it is, how to ask it, and what a good answer is.
import http from 'k6/http';
import { check } from 'k6';

export const BASE_URL = __ENV.BASE_URL || 'http://localhost:8081/api/v1';

// Each scenario's requests are told apart by route, not by address, so that users and pages make no series of their own.
const tagged = (route, headers) => ({ headers: headers || {}, tags: { name: route, route } });

export function join(user) {
  const response = http.post(`${BASE_URL}/user/${user}/queue/token/issue`, null, tagged('issue'));
  const good = check(response, {
    'joined': (r) => r.status === 200,
    'has a token and a number': (r) => r.status === 200 && !!r.json('waitingToken') && r.json('number') >= 1,
  });
  return good ? response.json() : null;
}

export function ask(token) {
  const response = http.get(`${BASE_URL}/user/queue/token/query`, tagged('query', { waitingToken: token }));
  check(response, { 'was told the position': (r) => r.status === 200 && r.json('num') === r.json('position') });
  return response.status === 200 ? response.json() : null;
}

export function dates(concert, token) {
  const response = http.get(`${BASE_URL}/concert/${concert}/date`, tagged('dates', { waitingToken: token }));
  check(response, {
    'read the dates': (r) => r.status === 200,
    'every date has seats': (r) => r.status === 200 && r.json().every((date) => date.seatsLeft > 0),
  });
}

export function leave(token) {
  const response = http.del(`${BASE_URL}/user/queue/token`, null, tagged('leave', { waitingToken: token }));
  check(response, { 'gave the place back': (r) => r.status === 204 });
}

export function concerts(page) {
  const response = http.get(`${BASE_URL}/concerts/query?page=${page}`, tagged('concerts'));
  check(response, {
    'listed concerts': (r) => r.status === 200,
    'ten on a page': (r) => r.status === 200 && r.json().length === 10,
  });
}

// The limits of the load-test report; one place, so that no scenario is easier than another.
export const thresholds = (milliseconds) => ({
  http_req_duration: [`p(90)<${milliseconds}`, `p(95)<${milliseconds}`],
  http_req_failed: ['rate<0.01'],
  checks: ['rate>0.99'],
});
