import { describe, expect, it } from "vitest";
import { configOf } from "../../test/support/discovery.ts";
import type { Scope } from "./protocol.ts";
import { createStore } from "./store.ts";

const storeOf = (...ids: readonly string[]) => {
  const store = createStore();
  store.replace(ids.map((id) => configOf(id)));
  const follow = (scope: Scope): { readonly heard: string[]; readonly leave: () => void } => {
    const heard: string[] = [];
    return { heard, leave: store.subscribe(scope, (id) => heard.push(id)) };
  };
  return { store, follow };
};
const ids = (store: ReturnType<typeof createStore>, scope: Scope = { of: "all" }): readonly string[] =>
  store.list(scope).map(({ id }) => id);

describe("the store of configs", () => {
  it("lists in the order of ids, whatever order they came in", () => {
    const { store } = storeOf("ns2/a", "ns1/b", "ns1/a", "ns10/a");
    expect(ids(store)).toEqual(["ns1/a", "ns1/b", "ns10/a", "ns2/a"]);
    expect(ids(store, { of: "namespace", namespace: "ns1" })).toEqual(["ns1/a", "ns1/b"]);
    expect(ids(store, { of: "namespace", namespace: "none" })).toEqual([]);
    expect(ids(store, { of: "config", id: "ns1/b" })).toEqual(["ns1/b"]);
  });

  it("notifies subscribers of all, of a namespace and of one config until they leave", () => {
    const { store, follow } = storeOf("ns1/gw1", "ns2/gw1");
    const all = follow({ of: "all" });
    const namespace = follow({ of: "namespace", namespace: "ns1" });
    const single = follow({ of: "config", id: "ns1/gw1" });
    store.set("ns1/gw1", configOf("ns1/gw1", "two"));
    store.set("ns1/gw2", configOf("ns1/gw2"));
    store.set("ns2/gw1", configOf("ns2/gw1", "two"));
    expect([all.heard, namespace.heard, single.heard]).toEqual([
      ["ns1/gw1", "ns1/gw2", "ns2/gw1"],
      ["ns1/gw1", "ns1/gw2"],
      ["ns1/gw1"],
    ]);
    single.leave();
    store.set("ns1/gw1", undefined);
    expect([all.heard.at(-1), namespace.heard.at(-1), single.heard.length]).toEqual(["ns1/gw1", "ns1/gw1", 1]);
  });

  it("notifies nobody when nothing changed", () => {
    const { store, follow } = storeOf("ns/gw");
    const { heard } = follow({ of: "all" });
    store.set("ns/gw", configOf("ns/gw"));
    store.replace([configOf("ns/gw")]);
    store.set("ns/other", undefined);
    const { admin, auth, ...rest } = configOf("ns/gw");
    // Another order of fields, another way to say "no routes".
    const credentials = { password: "pa$$", username: "user" };
    const listeners = rest.listeners?.map((listener) => ({ routes: [], ...listener })) ?? [];
    store.set("ns/gw", { clusters: rest.clusters!, listeners, auth: { ...auth, credentials }, admin, version: "v1" });
    expect(heard).toEqual([]);
    expect(store.size).toBe(1);
  });

  it("takes a complete list for the truth", () => {
    const { store, follow } = storeOf("ns/a", "ns/b", "ns/c");
    const { heard } = follow({ of: "all" });
    store.replace([configOf("ns/c"), configOf("ns/b", "two"), configOf("ns/d"), configOf("stunner-daemon")]);
    expect(heard.toSorted()).toEqual(["ns/a", "ns/b", "ns/d"]);
    expect(ids(store)).toEqual(["ns/b", "ns/c", "ns/d"]);
  });

  it("takes no config under another name", () => {
    const { store } = storeOf();
    expect(() => store.set("ns/a", configOf("ns/b"))).toThrow(RangeError);
    expect(() => store.set("a", configOf("a"))).toThrow(RangeError);
  });

  it("encodes a config once", () => {
    const { store } = storeOf("ns/a");
    expect(store.get("ns/a")!.frame).toBe(store.list({ of: "all" })[0]!.frame);
  });
});
