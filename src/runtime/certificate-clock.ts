/**
 * The moments at which certificates become valid or expire, as facts: the core has no clock. At each one the Secret is
 * reported again, with the state of its certificate from then on.
 */
import { epochMsOf } from "../resources/time.ts";
import { wallMs } from "../clock.ts";
import { validityAt } from "../journal/certificate.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import type { CertificateState } from "../resources/core.ts";
import type { Loop } from "./loop.ts";

/** A wall clock may be changed, and long timers are unreliable: deadlines are checked at least this often, in ms. */
const LOOK_MS = 60 * 60_000;

export interface CertificateClock {
  close(): void;
}

/** The next moment at which the state of `certificate` changes, in ms since 1970. */
const deadlineOf = ({ validity, notBefore, notAfter }: CertificateState): number | undefined => {
  const next = validity === "not-yet-valid" ? notBefore : validity === "expired" ? undefined : notAfter;
  return next === undefined ? undefined : epochMsOf(next);
};

/** @param now in ms since 1970. */
export const startCertificateClock = (loop: Loop, now: () => number = wallMs): CertificateClock => {
  const deadlines = new Map<Name, number>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const nowMs = now();
    for (const [name, deadline] of deadlines) {
      if (deadline > nowMs) continue;
      deadlines.delete(name);
      const object = loop.core.view.get("Secret", name);
      if (object?.certificate === undefined) continue;
      const { validity: _, ...rest } = object.certificate;
      const validity = validityAt(rest, nowMs);
      const certificate = validity === undefined ? rest : { ...rest, validity };
      const data = { kind: "Secret", object: { ...object, certificate } } as const;
      loop.take([{ fact: { type: "object.seen", data }, source: "clock", cause: null }]);
    }
    wait();
  };

  const wait = (): void => {
    clearTimeout(timer);
    if (deadlines.size === 0) return;
    timer = setTimeout(look, Math.max(0, Math.min(LOOK_MS, Math.min(...deadlines.values()) - now())));
    timer.unref();
  };

  loop.onFact((fact) => {
    if (fact.type === "object.gone" && fact.data.kind === "Secret") deadlines.delete(fact.data.name);
    if (fact.type !== "object.seen" || fact.data.kind !== "Secret") return;
    const name = nameOfObject("Secret", fact.data.object);
    const { certificate } = fact.data.object as { readonly certificate?: CertificateState };
    const deadline = certificate && deadlineOf(certificate);
    if (deadline === undefined) deadlines.delete(name);
    else deadlines.set(name, deadline);
    wait();
  });
  return { close: () => clearTimeout(timer) };
};
