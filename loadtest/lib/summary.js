// The end of a run: everything as JSON in the file SUMMARY, and the essentials as text.
import { BASE_URL } from '../config.js';
import { KIND } from './load.js';

const STATS = ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max', 'count'];

export function summaryOf(scenario, kind = KIND || 'report') {
  return (data) => {
    const run = { scenario, kind, baseUrl: BASE_URL, milliseconds: Math.round(data.state.testRunDurationMs) };
    const outputs = { stdout: text(run, data) };
    // The setup data has tokens in it.
    const { setup_data: _, ...told } = data;
    if (__ENV.SUMMARY) outputs[__ENV.SUMMARY] = JSON.stringify({ run, ...told }, null, 1);
    return outputs;
  };
}

function text(run, data) {
  const metrics = Object.entries(data.metrics).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [
    '',
    `${run.scenario} ${run.kind}: ${(run.milliseconds / 1000).toFixed(1)} s`,
    '',
    ...table(metrics.filter(([name, metric]) => metric.type === 'trend' && worthReading(name, metric))),
    '',
    ...metrics.filter(([, metric]) => metric.type !== 'trend').map(line),
    '',
    ...failedChecks(data.root_group),
    ...thresholds(metrics),
  ];
  return `${lines.join('\n')}\n`;
}

// Skips metrics without requests, and the parts of a duration, which are in the file.
function worthReading(name, metric) {
  return metric.values.count > 0 && !/^http_req_(sending|waiting|receiving|tls)/.test(name);
}

function table(trends) {
  const heads = ['', ...STATS];
  const rows = trends.map(([name, metric]) => [name, ...STATS.map((stat) => figure(stat, metric))]);
  return [heads, ...rows].map((row) => row.map((cell, n) => (n ? cell.padStart(10) : cell.padEnd(44))).join(''));
}

function figure(stat, metric) {
  const number = metric.values[stat];
  if (stat === 'count' || metric.contains !== 'time') return String(Math.round(number));
  return Math.abs(number) < 1000 ? `${number.toFixed(2)} ms` : `${(number / 1000).toFixed(2)} s`;
}

// The format of k6's own lines, which other programs parse.
function line([name, metric]) {
  return `${`${name} `.padEnd(44, '.')}: ${value(metric)}`;
}

function value({ type, values }) {
  if (type === 'gauge') return `${values.value} (at most ${values.max})`;
  if (type === 'counter') return `${values.count} (${values.rate.toFixed(1)}/s)`;
  // A rate counts failed requests as passes, or checks that held.
  return `${(100 * values.rate).toFixed(2)}%  ${values.passes} out of ${values.passes + values.fails}`;
}

function failedChecks(group) {
  const own = group.checks.filter((check) => check.fails > 0);
  const lines = own.map((check) => `✗ ${check.name}: ${check.fails} of ${check.fails + check.passes} did not`);
  return [...lines, ...group.groups.flatMap(failedChecks)];
}

function thresholds(metrics) {
  return metrics.flatMap(([name, metric]) =>
    Object.entries(metric.thresholds || {}).map(([limit, { ok }]) => `${ok ? '✓' : '✗'} ${name} ${limit}`));
}
