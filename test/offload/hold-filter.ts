/** `node hold-filter.ts INTERFACE`: attaches the program as a clsact filter, prints a line, and holds it until it is killed. */
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";
import { openClsact } from "../../src/dataplane/offload/clsact.ts";
import { interfaceOf } from "../../src/dataplane/offload/interfaces.ts";
import { loadProgram } from "../../src/dataplane/offload/program.ts";

openClsact(loadBpf(), loadProgram().program).attach(interfaceOf(process.argv[2] ?? "").index);
process.stdout.write("attached\n");
setInterval(() => undefined, 60_000);
