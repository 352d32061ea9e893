// Tokens without a valid signature, made from a valid one.
import { oneOf } from '../choose.js';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export const FORGERIES = [
  altered,
  (token) => token.slice(0, -1),
  (token) => `${token}A`,
  (token) => token.slice(token.length / 2) + token.slice(0, token.length / 2),
  (token) => Array.from(token, () => oneOf(LETTERS)).join(''),
  () => '',
];

// Replaces one letter.
function altered(token) {
  const at = Math.floor(Math.random() * token.length);
  const other = LETTERS.replace(token[at], '');
  return token.slice(0, at) + oneOf(other) + token.slice(at + 1);
}

