// What the sale has to keep besides what every scenario keeps.
import { SALE } from '../../config.js';

// Nobody may wait for longer at a breakpoint: from there on the line only grows.
const LONGEST_WAIT = 60000;

export function saleThresholds(kind) {
  const people = { 'checks{kind:person}': [kind === 'breakpoint' ? 'rate>0.99' : 'rate==1'], sale_served: ['count>0'] };
  return { ...people, ...hostile(), ...waits(kind) };
}

// At whatever load: what is refused is refused. And with a share of them there have to be some.
function hostile() {
  return SALE.hostile > 0 ? { 'checks{kind:hostile}': ['rate==1'], 'http_reqs{kind:hostile}': ['count>0'] } : {};
}

function waits(kind) {
  if (kind === 'breakpoint') return { sale_waited: [{ threshold: `p(95)<${LONGEST_WAIT}`, abortOnFail: true, delayAbortEval: '10s' }] };
  // Where more come than are called some wait, so that jumpers are really refused.
  return kind === 'spike' && SALE.hostile > 0 ? { sale_jumps_refused: ['count>0'] } : {};
}
