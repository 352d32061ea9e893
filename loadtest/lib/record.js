// Records every answer for the checker: one line of JSON for each request, through the console
// (`--console-output FILE --log-format raw`). Only with RECORD set, because each line costs time.
const IS_RECORDING = !!__ENV.RECORD;

// `more` holds the client's own knowledge: the user, the number of the token it used, and whether
// it forged it.
export function record(client, what, answer, more = {}) {
  if (!IS_RECORDING) return;
  const { sent, answered, status, code } = answer;
  console.log(JSON.stringify({ client: client.id, kind: client.kind, what, sent, answered, status, code, ...more }));
}
