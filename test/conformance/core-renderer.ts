/** The whole event-sourced core behind the API server: facts in, folded; and what it did must replay. */
import { expect } from "vitest";
import { createCore } from "../../src/core/core.ts";
import { replay } from "../../src/core/replay.ts";
import { digest } from "../../src/journal/digest.ts";
import { JOURNAL_VERSION, type Derivation, type Fact, type JournalLine } from "../../src/journal/fact.ts";
import { createVault } from "../../src/journal/vault.ts";
import { nameOfObject, splitKey, type ObjectKey } from "../../src/resources/keys.ts";
import type { RenderOptions } from "../../src/resources/view.ts";
import type { Renderer, Rendering } from "./cluster.ts";

const STATUS = "status ";

export const coreRenderer = (options: RenderOptions): Renderer => {
  const core = createCore(options, digest);
  const vault = createVault();
  const lines: JournalLine[] = [];
  let synced = false;

  const derive = (derivation: Derivation, cause: number): void =>
    void lines.push({ v: JOURNAL_VERSION, seq: lines.length + 1, time: 0, source: "core", cause, ...derivation });
  const take = (fact: Fact): void => {
    const line = { v: JOURNAL_VERSION, seq: lines.length + 1, time: 0, source: "test", cause: null, ...fact } as const;
    lines.push(line);
    for (const { derivation, cause } of core.apply(line)) derive(derivation, cause);
  };
  const fold = (): Rendering => {
    if (core.dirty) {
      derive({ type: "fold", data: { through: lines.length } }, lines.length);
      for (const { derivation, cause } of core.fold(0).derived) derive(derivation, cause);
    }
    const text = JSON.parse(JSON.stringify(lines)) as readonly JournalLine[];
    expect(replay(text, digest).divergence).toBeUndefined();
    const gateways = core.view
      .list("Gateway")
      .flatMap((object) => core.rendered(nameOfObject("Gateway", object)) ?? []);
    return {
      configs: Object.fromEntries(
        gateways.flatMap(({ name, config }) => (config === undefined ? [] : [[name, vault.reveal(config)]])),
      ),
      statuses: core
        .export()
        .statuses.map(([id, status]) => ({ ...splitKey(id.slice(STATUS.length) as ObjectKey), status })),
      objects: gateways.flatMap(({ objects }) => objects.map(vault.revealObject)),
      removals: gateways.flatMap(({ removals }) => removals),
    };
  };

  take({ type: "operator.started", data: { options, release: "test" } });
  return {
    changed: (changes) => {
      for (const change of changes)
        take(
          change.type === "gone"
            ? { type: "object.gone", data: { kind: change.kind, name: change.name } }
            : { type: "object.seen", data: { kind: change.kind, object: vault.redact(change.kind, change.object) } },
        );
      if (!synced) take({ type: "objects.synced", data: { objects: changes.length } });
      synced = true;
      return fold();
    },
    stopping: () => {
      take({ type: "operator.stopping", data: { reason: "test" } });
      take({ type: "operator.drained", data: {} });
      return fold();
    },
  };
};
