/** The certificates of a TLS or DTLS listener, each with what serves it: clients get the one for the name that they ask for. */
import { X509Certificate } from "node:crypto";
import { messageOf } from "../../errors.ts";
import type { Material, Materials } from "./listener.ts";

interface Served<T> {
  readonly leaf: X509Certificate;
  /** What serves it. */
  readonly context: T;
}

const matchOf = <T>({ leaf }: Served<T>, name: string): string | undefined => {
  try {
    return leaf.checkHost(name);
  } catch {
    // The client has sent something that cannot be a name.
    return undefined;
  }
};

export class Certificates<T> {
  /** Why further certificates cannot be used. */
  faults: readonly string[];
  readonly #make: (material: Material) => T;
  #first: Served<T>;
  /** By place; undefined where none was ever usable. */
  #further: readonly (Served<T> | undefined)[] = [];

  /**
   * @param make what serves a certificate. @throws OpenSSL's error for the first; {@link renew} for the others.
   */
  constructor({ first, further }: Materials, make: (material: Material) => T) {
    this.#make = make;
    this.#first = this.#serve(first);
    this.faults = this.#replace(further);
  }

  /** What serves them. */
  get contexts(): ReadonlySet<T> {
    return new Set([this.#first, ...this.#further].flatMap((served) => served?.context ?? []));
  }

  /** The first, for clients that ask for no name, or for one that no certificate has. */
  get first(): T {
    return this.#first.context;
  }

  /**
   * Replaces all. A further one that cannot be used is reported in `faults`; the one before it, if there was one, stays.
   * @throws OpenSSL's error for the first, and nothing is replaced.
   */
  renew({ first, further }: Materials): void {
    this.#first = this.#serve(first);
    this.faults = this.#replace(further);
  }

  /** For the server name of a ClientHello: an exact name before a wildcard, both in the order of the certificates. */
  for(name: string | undefined): T {
    if (name === undefined) return this.first;
    let wildcard: T | undefined;
    for (const served of [this.#first, ...this.#further]) {
      const match = served && matchOf(served, name);
      if (served === undefined || match === undefined) continue;
      if (!match.includes("*")) return served.context;
      wildcard ??= served.context;
    }
    return wildcard ?? this.first;
  }

  #serve(material: Material): Served<T> {
    const context = this.#make(material);
    return { leaf: new X509Certificate(material.certificate), context };
  }

  #replace(further: readonly Material[]): readonly string[] {
    const faults: string[] = [];
    this.#further = further.map((material, place) => {
      try {
        return this.#serve(material);
      } catch (error) {
        faults.push(`certificates[${place}]: ${messageOf(error)}`);
        return this.#further[place];
      }
    });
    return faults;
  }
}
