// Thresholds of the sale, in addition to those of every scenario.
import { SALE } from '../../config.js';
import { IS_OF_THE_TABLE } from '../load.js';
import { ending } from '../thresholds.js';

// The longest wait at a breakpoint; beyond it the queue only grows.
const LONGEST_WAIT = 30000;

export function saleThresholds(kind) {
  return {
    'checks{kind:person}': [kind === 'breakpoint' ? 'rate>0.99' : 'rate==1'],
    sale_served: ['count>0'],
    ...hostile(),
    ...waits(kind),
  };
}

// At any load, hostile clients must be refused. With a share above 0 there must be some.
function hostile() {
  return SALE.hostile > 0 ? { 'checks{kind:hostile}': ['rate==1'], 'http_reqs{kind:hostile}': ['count>0'] } : {};
}

function waits(kind) {
  if (kind === 'breakpoint') return { sale_waited: [ending(`p(95)<${LONGEST_WAIT}`)] };
  // More people arrive than are called by default, so some wait, and jumpers are refused. Other
  // sizes guarantee nothing.
  return kind === 'spike' && SALE.hostile > 0 && IS_OF_THE_TABLE ? { sale_jumps_refused: ['count>0'] } : {};
}
