// What every client was told, for whoever checks the run afterwards: one line of JSON for each request, through the console
// (`--console-output FILE --log-format raw`), and only with RECORD set, for each line costs time.
const IS_RECORDING = !!__ENV.RECORD;

// `more` is what the client knows itself: the user, the number of the token it used, whether it forged it.
export function record(client, what, answer, more = {}) {
  if (!IS_RECORDING) return;
  const { sent, answered, status, code } = answer;
  console.log(JSON.stringify({ client: client.id, kind: client.kind, what, sent, answered, status, code, ...more }));
}
