// What can be asked of the service.
import { send } from './http.js';

export const issuing = (user, options) => ['issue', 'POST', `/user/${user}/queue/token/issue`, options];

export const join = (user, options) => send(...issuing(user, options));

export const ask = (token, options) => send('query', 'GET', '/user/queue/token/query', { ...options, token });

export const dates = (concert, token, options) => send('dates', 'GET', `/concert/${concert}/date`, { ...options, token });

export const leave = (token, options) => send('leave', 'DELETE', '/user/queue/token', { ...options, token });

export const concerts = (page, options) => send('concerts', 'GET', `/concerts/query?page=${page}`, options);
