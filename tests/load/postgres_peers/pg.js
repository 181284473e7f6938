// Statements of many promises over a pool of Node's pg: as postgres_bench measures ours.
//
// usage: node pg.js HOST PORT USER DATABASE CONNECTIONS CALLERS SECONDS
'use strict';
const {Pool} = require('pg');

const [host, port, user, database, connections, callers, seconds] = process.argv.slice(2);
const works = [
  {name: 'select_1', text: 'SELECT 1'},
  {name: 'rows_10', text: "SELECT i, 'row number ' || i FROM generate_series(1, 10) i"},
];

async function run(pool, work) {
  const times = [];
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  const end = began + BigInt(seconds) * 1000000000n;
  async function caller() {
    for (let now = began; now < end;) {
      await pool.query(work);
      const done = process.hrtime.bigint();
      times.push(Number(done - now) / 1000);
      now = done;
    }
  }
  await Promise.all(Array.from({length: Number(callers)}, caller));
  const elapsed = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const figure = (value) => value.toFixed(0).padStart(8);
  const at = (part) => times[Math.floor(times.length * part)].toFixed(0).padStart(6);
  console.log(`${work.name.padEnd(10)} ${'pg pool'.padEnd(16)} ${figure(times.length / elapsed)}/s ` +
              `${figure(times.length / ((used.user + used.system) / 1e6))}/cpu-s  ` +
              `p50 ${at(0.5)} us  p99 ${at(0.99)} us`);
}

async function main() {
  const pool = new Pool({host, port: Number(port), user, database, max: Number(connections)});
  for (const work of works) await run(pool, work);
  await pool.end();
}

main().catch((error) => {
  console.error(`pg: ${error.message}`);
  process.exit(1);
});
