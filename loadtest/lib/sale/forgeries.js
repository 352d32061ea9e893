// Tokens nobody gave out, made of one that is good.
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export const FORGERIES = [
  altered,
  (token) => token.slice(0, -1),
  (token) => `${token}A`,
  (token) => token.slice(token.length / 2) + token.slice(0, token.length / 2),
  (token) => Array.from(token, () => letter()).join(''),
  () => '',
];

// One letter is another one.
function altered(token) {
  const at = Math.floor(Math.random() * token.length);
  const next = LETTERS[(LETTERS.indexOf(token[at]) + 1 + Math.floor(Math.random() * (LETTERS.length - 1))) % LETTERS.length];
  return token.slice(0, at) + next + token.slice(at + 1);
}

const letter = () => LETTERS[Math.floor(Math.random() * LETTERS.length)];
