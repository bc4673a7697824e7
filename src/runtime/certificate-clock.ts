/**
 * The moments at which certificates begin and end to be valid, as facts: the core has no clock. At each one the Secret is
 * told anew, with what its certificate is from then on.
 */
import { epochMsOf } from "../resources/time.ts";
import { wallMs } from "../clock.ts";
import { validityAt } from "../journal/certificate.ts";
import { nameOfObject, type Name } from "../resources/keys.ts";
import type { CertificateState } from "../resources/core.ts";
import type { Loop } from "./loop.ts";

/** A wall clock may be set, and a timer cannot wait for long: deadlines are looked at this often at least, in ms. */
const LOOK_MS = 60 * 60_000;

export interface CertificateClock {
  close(): void;
}

/** The next moment at which `certificate` is no longer what it is, in ms since 1970. */
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
