// What the sale has to keep besides what every scenario keeps.
import { SALE } from '../../config.js';
import { IS_OF_THE_TABLE } from '../load.js';
import { ending } from '../thresholds.js';

// Nobody may wait for longer at a breakpoint: from there on the line only grows.
const LONGEST_WAIT = 30000;

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
  // More come than are called by default, so some wait, and jumpers are really refused. Of other sizes nothing is known.
  return kind === 'spike' && SALE.hostile > 0 && IS_OF_THE_TABLE ? { sale_jumps_refused: ['count>0'] } : {};
}
