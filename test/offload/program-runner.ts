/** A thread that runs the program on a frame until it must stop, and then says how often it did. */
import { parentPort as port, workerData } from "node:worker_threads";
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";

export interface Runner {
  readonly program: number;
  readonly frame: Uint8Array;
  /** Runs in a row; each gets what the one before made of the frame. */
  readonly repeat: number;
  /** Its first element: not 0 once it shall stop. */
  readonly isOver: Int32Array;
}

const { program, frame, repeat, isOver } = workerData as Runner;
const bpf = loadBpf();
const sent = Buffer.from(frame);
let runs = 0;
port?.postMessage("started");
while (Atomics.load(isOver, 0) === 0) {
  bpf.testRun(program, sent, repeat);
  runs += repeat;
}
port?.postMessage(runs);
