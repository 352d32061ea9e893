// What the sale has to keep besides what every scenario keeps.
import { SALE } from '../../config.js';
import { ending } from '../thresholds.js';

// Nobody may wait for longer at a breakpoint: from there on the line only grows.
const LONGEST_WAIT = 60000;

export function saleThresholds(kind) {
  return {
    'checks{kind:person}': [kind === 'breakpoint' ? 'rate>0.99' : 'rate==1'],
    sale_served: ['count>0'],
    ...hostile(),
    ...waits(kind),
  };
}

// At whatever load: what is refused is refused. And with a share of them there have to be some.
function hostile() {
  return SALE.hostile > 0 ? { 'checks{kind:hostile}': ['rate==1'], 'http_reqs{kind:hostile}': ['count>0'] } : {};
}

function waits(kind) {
  if (kind === 'breakpoint') return { sale_waited: [ending(`p(95)<${LONGEST_WAIT}`)] };
  // Where more come than are called some wait, so that jumpers are really refused.
  return kind === 'spike' && SALE.hostile > 0 ? { sale_jumps_refused: ['count>0'] } : {};
}
