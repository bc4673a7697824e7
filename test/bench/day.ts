/**
 * `npm run bench:day`: ten simulated days of a Gateway, 10,000 calls each: pods, and calls that are lost, with a fixed number of
 * pods and with an autoscaler, with and without deletion costs. `-- SEED` simulates ten other days.
 */
import { CALLS, compare, tableOf } from "../scaling/comparison.ts";

const DAYS = 10;
const first = Number(process.argv[2] ?? 1);
const seeds = Array.from({ length: DAYS }, (_, day) => first + day);

for (const callsPerPod of [25, 10]) {
  console.log(`${CALLS} calls a day, ${callsPerPod} calls a pod on average; means of ${DAYS} days from seed ${first}`);
  console.table(tableOf(compare(callsPerPod, seeds)));
}
