// Checks of answers.
import { check } from 'k6';
import { CONCERT, DATES_OF_CONCERT, PAGE_SIZE } from '../config.js';

const STATES = ['WAITING', 'CALLED', 'ACTIVE', 'EXPIRED'];

export function joined(answer, tags) {
  return check(answer, {
    'joined': (a) => a.status === 200,
    'has a token and a number': (a) => isPlace(a) && !!a.body.waitingToken && a.body.number >= 1,
  }, tags);
}

export function toldPosition(answer, tags) {
  return check(answer, {
    'was told the position': (a) => isPlace(a) && a.body.num === a.body.position && STATES.includes(a.body.status),
  }, tags);
}

export function readDates(answer, concert, tags) {
  return check(answer, {
    'read the dates': (a) => a.status === 200,
    'every date has seats': (a) => isList(a) && a.body.every((date) => date.seatsLeft > 0),
    'the concert has its dates': (a) => isList(a) && (concert !== CONCERT || a.body.length === DATES_OF_CONCERT),
  }, tags);
}

export function left(answer, tags) {
  return check(answer, { 'gave the place back': (a) => a.status === 204 }, tags);
}

export function listedConcerts(answer, tags) {
  return check(answer, {
    'listed concerts': (a) => a.status === 200,
    'a full page': (a) => isList(a) && a.body.length === PAGE_SIZE,
  }, tags);
}

const isPlace = (answer) => answer.status === 200 && !!answer.body && answer.body.position >= 0;

const isList = (answer) => answer.status === 200 && Array.isArray(answer.body);
