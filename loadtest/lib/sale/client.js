// A client with a browser: its last answer, and a record of each of its requests.
import { record } from '../record.js';
import { sendTogether } from '../http.js';
import * as service from '../service.js';

export class Client {
  constructor(id, kind, user) {
    this.id = id;
    this.kind = kind;
    this.user = user;
    // Few values, so that they can be tags: a person or hostile, and the sort of client.
    this.tags = { kind: kind === 'person' ? 'person' : 'hostile', client: kind };
    this.told = null;
    this.token = null;
    this.number = null;
  }

  join(expected) {
    return this.#joined(service.join(this.user, { tags: this.tags, expected }));
  }

  joinTogether(times, expected) {
    const requests = Array.from({ length: times }, () => service.issuing(this.user, { tags: this.tags, expected }));
    return sendTogether(requests).map((answer) => this.#joined(answer));
  }

  ask(expected) {
    const answer = service.ask(this.token, { tags: this.tags, expected });
    this.#told('ask', answer);
    return answer;
  }

  dates(concert, expected) {
    const answer = service.dates(concert, this.token, { tags: this.tags, expected });
    record(this, 'dates', answer, this.#own());
    return answer;
  }

  leave(expected) {
    const answer = service.leave(this.token, { tags: this.tags, expected });
    record(this, 'leave', answer, this.#own());
    return answer;
  }

  // `what` is `ask`, `dates` or `leave`, sent by `request(token, options)`.
  forge(what, request, token) {
    const answer = request(token, { tags: this.tags, expected: [401] });
    record(this, what, answer, { user: this.user, forged: true });
    return answer;
  }

  isWaiting() {
    return !!this.told && this.told.status === 'WAITING';
  }

  #joined(answer) {
    if (answer.status === 200 && answer.body) {
      this.token = answer.body.waitingToken;
      this.number = answer.body.number;
    }
    this.#told('join', answer);
    return answer;
  }

  #told(what, answer) {
    if (answer.status !== 200 || !answer.body) return record(this, what, answer, { user: this.user });
    this.told = answer.body;
    const { number, status: state, position, stale } = answer.body;
    record(this, what, answer, { user: this.user, number, state, position, stale });
  }

  #own() {
    return { user: this.user, number: this.number };
  }
}
