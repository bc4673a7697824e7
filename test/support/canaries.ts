/** Secrets that sing: planted where secrets may be, and looked for, in every form, where they must not be. */
import { createHash, randomBytes } from "node:crypto";

export interface Canary {
  /** Where it was planted. */
  readonly place: string;
  readonly value: string;
  /** By name. */
  readonly forms: ReadonlyMap<string, string>;
}

export interface Song {
  readonly place: string;
  readonly form: string;
  readonly outlet: string;
  /** What stands around it, itself left out. */
  readonly around: string;
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const AROUND = 60;

/** Letters and digits that nobody else will write. */
export const nonsense = (length = 20): string =>
  `x${[...randomBytes(length - 1)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("")}`;

/** Base64 of anything that `text` is a part of has one of these in it: where it begins there is one of three places. */
export const base64Cores = (text: string): readonly string[] =>
  [0, 1, 2].map((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
    // Characters that what stands before or behind has a part in say nothing.
    return bytes.toString("base64").slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });

const urlSafe = (base64: string): string => base64.replaceAll("+", "-").replaceAll("/", "_");

/** The key that TURN derives from a password, RFC 8489 §9.2.2. */
export interface Account {
  readonly username: string;
  readonly realm: string;
}

const formsOf = (value: string, core: string, accounts: readonly Account[]): ReadonlyMap<string, string> => {
  const forms = new Map<string, string>();
  const add = (name: string, text: string): void => void forms.set(name, text);
  for (const [name, text] of [
    ["whole", value],
    ["core", core],
  ] as const) {
    const hex = Buffer.from(text).toString("hex");
    add(`${name} plain`, text);
    base64Cores(text).forEach((form, offset) => {
      add(`${name} base64 at ${offset}`, form);
      add(`${name} base64url at ${offset}`, urlSafe(form));
    });
    add(`${name} hex`, hex);
    add(`${name} HEX`, hex.toUpperCase());
    add(`${name} in a URL`, encodeURIComponent(text));
    add(`${name} in JSON`, JSON.stringify(text).slice(1, -1));
  }
  for (const { username, realm } of accounts) {
    const key = createHash("md5").update(`${username}:${realm}:${value}`);
    add(`key of ${username}`, key.digest("hex"));
  }
  return forms;
};

export class Aviary {
  readonly #canaries: Canary[] = [];
  readonly #accounts: readonly Account[];

  /** `accounts`: whose passwords they may be. */
  constructor(accounts: readonly Account[] = []) {
    this.#accounts = accounts;
  }

  get canaries(): readonly Canary[] {
    return this.#canaries;
  }

  /** A secret of letters and digits between `before` and `behind`, which encodings change. */
  plant(place: string, before = "", behind = ""): string {
    const core = nonsense();
    return this.#keep(place, `${before}${core}${behind}`, core);
  }

  /** What is a secret already. @param core of it, what is nowhere else. */
  cage(place: string, value: string, core = value): string {
    return this.#keep(place, value, core);
  }

  #keep(place: string, value: string, core: string): string {
    this.#canaries.push({ place, value, forms: formsOf(value, core, this.#accounts) });
    return value;
  }

  /** Every canary that `text`, which came out of `outlet`, has in it. */
  listen(outlet: string, text: string): readonly Song[] {
    return this.#canaries.flatMap(({ place, value, forms }) => {
      for (const [form, pattern] of forms) {
        const at = text.indexOf(pattern);
        if (at < 0) continue;
        const around = text
          .slice(Math.max(0, at - AROUND), at + pattern.length + AROUND)
          .replaceAll(pattern, "…")
          .replaceAll(value, "…");
        return [{ place, form, outlet, around }];
      }
      return [];
    });
  }
}
