// Solves the puzzle of a 428 answer with WebCrypto, in a separate worker, so that the page stays
// responsive.
//
//   import { solvePuzzle } from './solve-puzzle.js';
//   let answer = await fetch(url, { method: 'POST' });
//   for (let tries = 0; answer.status === 428 && tries < 3; tries += 1) {
//     const joinPuzzle = await solvePuzzle(await answer.json());
//     answer = await fetch(url, { method: 'POST', headers: { joinPuzzle } });
//   }
//
// WebCrypto exists in secure contexts only: pages from https, or from localhost.

// Calls in flight: enough that the browser's crypto thread never waits for this script.
const IN_FLIGHT = 8;

/** The value of the `joinPuzzle` header for the body of a 428 answer. */
export function solvePuzzle({ puzzle, bits, iterations, parts }) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(import.meta.url, { type: 'module', name: 'join puzzle' });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data.error) reject(new Error(data.error));
      else resolve(data.solution);
    };
    worker.onerror = (event) => {
      worker.terminate();
      reject(new Error(event.message || 'the worker of the join puzzle could not be started'));
    };
    worker.postMessage({ puzzle, bits, iterations, parts });
  });
}

/** The same on the calling thread. */
export async function searchSolution({ puzzle, bits, iterations, parts }) {
  const text = new TextEncoder().encode(puzzle);
  const key = await crypto.subtle.importKey('raw', text, 'PBKDF2', false, ['deriveBits']);
  const found = [];
  let next = 0;
  const search = async () => {
    while (found.length < parts) {
      const counter = next;
      next += 1;
      const salt = new Uint8Array(8);
      new DataView(salt.buffer).setBigUint64(0, BigInt(counter));
      const algorithm = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations };
      const hash = new DataView(await crypto.subtle.deriveBits(algorithm, key, 256));
      const isSolved = hash.getUint32(0) >>> (32 - bits) === 0;
      if (isSolved && found.length < parts) found.push(counter);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, search));
  return `${puzzle}.${found.sort((a, b) => a - b).join(',')}`;
}

// The file is its own worker.
const isWorker = typeof DedicatedWorkerGlobalScope !== 'undefined';
if (isWorker && self instanceof DedicatedWorkerGlobalScope) {
  self.onmessage = async ({ data }) => {
    try {
      self.postMessage({ solution: await searchSolution(data) });
    } catch (error) {
      self.postMessage({ error: String(error) });
    }
  };
}
