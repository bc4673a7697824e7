/** The OpenSSL contexts of a listener, one for each certificate; certificates may change while it runs. */
import { Certificates } from "../listeners/certificates.ts";
import type { Material, Materials } from "../listeners/listener.ts";
import type { Handle, OpenSsl } from "./openssl.ts";

export interface ContextsOptions {
  readonly transport: "tls" | "dtls";
  /** For TLS: listeners with the same keys resume each other's sessions. */
  readonly ticketKeys?: Uint8Array | undefined;
}

export class Contexts {
  readonly #ssl: OpenSsl;
  readonly #options: ContextsOptions;
  readonly #certificates: Certificates<Handle>;

  /** @throws OpenSSL's error for the first of `materials`. */
  constructor(ssl: OpenSsl, materials: Materials, options: ContextsOptions) {
    this.#ssl = ssl;
    this.#options = options;
    this.#certificates = new Certificates(materials, (material) => this.#contextOf(material));
  }

  /** Why further certificates are not served. */
  get faults(): readonly string[] {
    return this.#certificates.faults;
  }

  get first(): Handle {
    return this.#certificates.first;
  }

  /** For the server name of a ClientHello. */
  for(name: string | undefined): Handle {
    return this.#certificates.for(name);
  }

  /** New handshakes use `materials` from here on; open sessions stay. @throws OpenSSL's error for the first. */
  renew(materials: Materials): void {
    const before = this.#certificates.contexts;
    this.#certificates.renew(materials);
    const { contexts } = this.#certificates;
    // Sessions keep a reference to theirs.
    for (const context of before) if (!contexts.has(context)) this.#ssl.freeContext(context);
  }

  close(): void {
    for (const context of this.#certificates.contexts) this.#ssl.freeContext(context);
  }

  #contextOf({ certificate, key }: Material): Handle {
    const { transport, ticketKeys } = this.#options;
    const context = this.#ssl.newContext(transport, ticketKeys);
    try {
      this.#ssl.useMaterial(context, certificate, key);
    } catch (error) {
      this.#ssl.freeContext(context);
      throw error;
    }
    return context;
  }
}
