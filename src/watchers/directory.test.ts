import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Subscription } from "rxjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { gateway, route, service, slice } from "../../test/support/objects.ts";
import { keyOf, nameOfObject } from "../resources/keys.ts";
import { watchDirectory } from "./directory.ts";
import type { WatchEvent } from "./source.ts";
import { eventually } from "../../test/support/eventually.ts";

let root: string;
let events: WatchEvent[];
let subscription: Subscription | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "turnpike-manifests-"));
  events = [];
});
afterEach(() => {
  subscription?.unsubscribe();
  rmSync(root, { recursive: true, force: true });
});

const put = (name: string, ...objects: readonly unknown[]): void => {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(
    join(root, name),
    objects.map((object) => (typeof object === "string" ? object : stringify(object))).join("---\n"),
  );
};
const follow = (): void => {
  subscription = watchDirectory(root, { rescanMs: 60_000 }).subscribe((batch) => events.push(...batch));
};
const word = (event: WatchEvent): string => {
  switch (event.event) {
    case "seen":
      return `seen ${keyOf(event.kind, nameOfObject(event.kind, event.object))}`;
    case "gone":
      return `gone ${keyOf(event.kind, event.name)}`;
    case "rejected":
    case "corrected":
      return `${event.event} ${event.rejection.file}:${event.rejection.line} ${event.rejection.object} ${event.rejection.field}`.trim();
    default:
      return event.event;
  }
};
const told = (): readonly string[] => events.map(word);
/** Clears what was reported, makes a change, and waits for exactly these events. */
const after = async (change: () => void, ...expected: readonly string[]): Promise<void> => {
  events.length = 0;
  change();
  await eventually(() => expect(told()).toEqual(expected));
};

describe("a directory of manifests", () => {
  it("reports the objects that are present, then that the list is complete", () => {
    put("a.yaml", gateway("gw"), route("r", ["gw"], ["s"]));
    put("sub/deeper/b.yml", service("s"));
    put(
      "c.json",
      JSON.stringify({ apiVersion: "v1", kind: "List", items: [slice("x", "s", ["10.0.0.1"]), service("t")] }),
    );
    put("notes.txt", "not a manifest");
    put(".hidden.yaml", gateway("hidden"));
    follow();
    expect(told()).toEqual([
      "seen Gateway/ns/gw",
      "seen UDPRoute/ns/r",
      "seen EndpointSlice/ns/x",
      "seen Service/ns/t",
      "seen Service/ns/s",
      "synced",
    ]);
  });

  it("follows edits, and counts generations as an API server would", async () => {
    put("a.yaml", gateway("gw"), service("s"));
    follow();
    await after(
      () => put("a.yaml", gateway("gw", [{ name: "udp", port: 4000, protocol: "TURN-UDP" }]), service("s")),
      "seen Gateway/ns/gw",
    );
    const [edited] = events;
    expect(edited?.event === "seen" && edited.object.metadata.generation).toBe(2);
    await after(
      () =>
        put(
          "a.yaml",
          {
            ...gateway("gw", [{ name: "udp", port: 4000, protocol: "TURN-UDP" }]),
            metadata: { name: "gw", namespace: "ns", labels: { a: "b" } },
          },
          service("s"),
        ),
      "seen Gateway/ns/gw",
    );
    const [labelled] = events;
    expect(labelled?.event === "seen" && labelled.object.metadata.generation).toBe(2);
  });

  it("follows new files, new folders, deletions and deleted folders", async () => {
    follow();
    await after(() => put("a.yaml", service("a")), "seen Service/ns/a");
    await after(() => put("new/folder/b.yaml", service("b")), "seen Service/ns/b");
    await after(() => rmSync(join(root, "a.yaml")), "gone Service/ns/a");
    await after(() => rmSync(join(root, "new"), { recursive: true }), "gone Service/ns/b");
  });

  it("says nothing when a file is renamed, moved or rewritten the same", async () => {
    put("a.yaml", service("a"), service("b"));
    follow();
    await after(() => {
      renameSync(join(root, "a.yaml"), join(root, "z.yaml"));
      put("marker.yaml", service("marker"));
    }, "seen Service/ns/marker");
    await after(() => {
      mkdirSync(join(root, "sub"));
      renameSync(join(root, "z.yaml"), join(root, "sub", "z.yaml"));
      put("marker.yaml", service("marker"), service("more"));
    }, "seen Service/ns/more");
    await after(() => put("sub/z.yaml", service("a")), "gone Service/ns/b");
  });

  it("takes an atomic replacement, as editors and ConfigMap mounts do it", async () => {
    put("a.yaml", service("a"));
    follow();
    await after(() => {
      put(".a.yaml.tmp", service("a"), service("b"));
      renameSync(join(root, ".a.yaml.tmp"), join(root, "a.yaml"));
    }, "seen Service/ns/b");
  });

  it("follows a mounted ConfigMap, whose files are links behind a link that moves", async () => {
    put("..v1/a.yaml", service("a"));
    symlinkSync("..v1", join(root, "..data"));
    symlinkSync("..data/a.yaml", join(root, "a.yaml"));
    follow();
    expect(told()).toEqual(["seen Service/ns/a", "synced"]);
    await after(() => {
      put("..v2/a.yaml", service("a"), service("b"));
      symlinkSync("..v2", join(root, "..data_tmp"));
      renameSync(join(root, "..data_tmp"), join(root, "..data"));
    }, "seen Service/ns/b");
  });

  it("moves an object between files without losing it in between", async () => {
    put("a.yaml", service("a"), service("b"));
    put("c.yaml", service("c"));
    follow();
    await after(() => {
      put("a.yaml", service("a"));
      put("c.yaml", service("b"), service("c"), service("d"));
    }, "seen Service/ns/d");
  });

  it("does not believe a file that is still being written", async () => {
    const whole = [service("a"), service("b"), service("c")].map((object) => stringify(object)).join("---\n");
    put("a.yaml", whole);
    follow();
    events.length = 0;
    const path = join(root, "a.yaml");
    // Written slowly, in pieces that parse by themselves but have fewer objects.
    writeFileSync(path, whole.slice(0, whole.indexOf("---")));
    await new Promise<void>((resolve) => {
      let at = whole.indexOf("---");
      const timer = setInterval(() => {
        appendFileSync(path, whole.slice(at, at + 40));
        at += 40;
        if (at >= whole.length) {
          clearInterval(timer);
          resolve();
        }
      }, 5);
    });
    put("marker.yaml", service("marker"));
    await eventually(() => expect(told()).toContain("seen Service/ns/marker"));
    expect(told()).toEqual(["seen Service/ns/marker"]);
  });
});

describe("a bad document", () => {
  it("is reported with file, line, field and reason, and the last good version stays", async () => {
    put("a.yaml", gateway("gw"), service("s"));
    follow();
    await after(
      () => put("a.yaml", stringify(gateway("gw")).replace("port: 3478", "port: 99999"), service("s")),
      "rejected a.yaml:11 Gateway/ns/gw spec.listeners[0].port",
    );
    expect(events[0]).toMatchObject({ rejection: { code: "manifest-schema", reason: expect.stringMatching(/65535/) } });
    await after(
      () => put("a.yaml", gateway("gw", [{ name: "udp", port: 5000, protocol: "TURN-UDP" }]), service("s")),
      "seen Gateway/ns/gw",
      "corrected a.yaml:11 Gateway/ns/gw spec.listeners[0].port",
    );
  });

  it("does not take the other documents of its file with it", async () => {
    put("a.yaml", service("a"));
    follow();
    await after(
      () => put("a.yaml", service("a"), "kind: [unclosed\n", service("b")),
      "seen Service/ns/b",
      "rejected a.yaml:13",
    );
    expect(events[1]).toMatchObject({ rejection: { code: "manifest-syntax" } });
  });

  it("keeps the objects of a file that cannot be parsed at all, until it can", async () => {
    put("a.yaml", service("a"), service("b"));
    follow();
    await after(() => put("a.yaml", ":\n  - ]["), "rejected a.yaml:2");
    await after(() => put("a.yaml", service("a")), "corrected a.yaml:2", "gone Service/ns/b");
  });

  it("is reported once, however often the file is written", async () => {
    put("a.yaml", { ...service("a"), kind: "Servise", apiVersion: "stunner.l7mp.io/v1" });
    follow();
    expect(told()).toEqual(
      ["rejected a.yaml:8  kind", "synced"].map((line) =>
        line.replace("a.yaml:8", `a.yaml:${(events[0] as { rejection: { line: number } }).rejection.line}`),
      ),
    );
    await after(() => {
      put("a.yaml", { ...service("a"), kind: "Servise", apiVersion: "stunner.l7mp.io/v1" }, "\n");
      put("b.yaml", service("b"));
    }, "seen Service/ns/b");
  });

  it("names the field that is unknown, missing or of the wrong type", () => {
    const bad = route("r", ["gw"], ["s"]);
    put("a.yaml", { ...bad, spec: { ...bad.spec, backendRefs: [] } });
    put("b.yaml", { ...bad, spec: {} });
    put("c.yaml", { ...slice("x", "s", []), endpoints: [{ addresses: "10.0.0.1" }] });
    follow();
    expect(told()).toEqual(
      [
        "rejected a.yaml:12 UDPRoute/ns/r spec.backendRefs",
        "rejected b.yaml:6 UDPRoute/ns/r spec.rules",
        "rejected c.yaml:10 EndpointSlice/ns/x endpoints[0].addresses",
        "synced",
      ].map((line, i) => line.replace(/:\d+ /, `:${(events[i] as { rejection?: { line: number } }).rejection?.line} `)),
    );
  });

  it("never quotes a secret", () => {
    put("a.yaml", {
      apiVersion: "stunner.l7mp.io/v1",
      kind: "GatewayConfig",
      metadata: { name: "c", namespace: "ns" },
      spec: { password: "not allowed: spaces" },
    });
    put("b.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2: x}\n");
    follow();
    expect(told().filter((line) => line.startsWith("rejected"))).toHaveLength(2);
    expect(JSON.stringify(events)).not.toMatch(/not allowed: spaces|hunter2/);
  });

  it("does not let a YAML bomb explode", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x,x]",
      ...Array.from(
        { length: 9 },
        (_, i) => `${"bcdefghij"[i]}: &${"bcdefghij"[i]} [${Array(10).fill(`*${"abcdefghij"[i]}`).join(",")}]`,
      ),
    ].join("\n");
    put("a.yaml", `${bomb}\n`);
    follow();
    expect(told()).toEqual([expect.stringMatching(/^rejected a\.yaml/), "synced"]);
  });
});

describe("an object in two files", () => {
  it("belongs to the first file; the second is rejected, and takes over when the first is removed", async () => {
    put("a.yaml", service("s"));
    put("b.yaml", { ...service("s"), spec: { ports: [{ port: 7777 }] } });
    follow();
    expect(told()).toEqual([
      "seen Service/ns/s",
      expect.stringMatching(/^rejected b\.yaml:1 Service\/ns\/s/),
      "synced",
    ]);
    await after(() => rmSync(join(root, "a.yaml")), "seen Service/ns/s", "corrected b.yaml:1 Service/ns/s");
    await after(() => rmSync(join(root, "b.yaml")), "gone Service/ns/s");
  });
});

describe("a directory that cannot be read", () => {
  it("is an error at the start", async () => {
    const error = await new Promise((resolve) => watchDirectory(join(root, "missing")).subscribe({ error: resolve }));
    expect(String(error)).toMatch(/ENOENT/);
  });

  it("loses no object when it disappears later, and says when it is lost and back", async () => {
    put("a.yaml", service("a"));
    subscription = watchDirectory(root, { rescanMs: 20 }).subscribe((batch) => events.push(...batch));
    await after(() => renameSync(root, `${root}-away`), "lost");
    events.length = 0;
    mkdirSync(root);
    put("a.yaml", service("a"), service("b"));
    await eventually(() => expect(told().toSorted()).toEqual(["restored", "seen Service/ns/b"]));
    rmSync(`${root}-away`, { recursive: true });
  });
});
