/**
 * Replaces the names and addresses in a log. Equal names stay equal everywhere, names keep their order, and what rules
 * depend on keeps its meaning; of all other text only plain English and numbers remain.
 */
import { createAddresses, type Coin } from "./addresses.ts";
import {
  ENUMERATIONS,
  isEnglish,
  isMeaningful,
  isWellKnownKey,
  KEYS,
  MAPS,
  MESSAGES,
  SELECTOR_FIELDS,
} from "./vocabulary.ts";
import { compareText } from "../order.ts";

export interface Pseudonyms {
  /** A value with other names; its structure does not change. */
  value<T>(value: T): T;
  /** A name, or several in one: `ns/gw`, `ns/media#10.0.0.1`, `Gateway/ns/gw`. */
  text(text: string): string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
/** `8080`, `250m`, `20M`, `1.5Gi`, `25%`, `600s`. */
const QUANTITY = /^-?\d+(?:\.\d+)?(?:[munkKMGTPE]i?|%|ms|s|h|d)?$/;
/** `0.1.0`, `v1.34.4`: of programs. */
const VERSION = /^v?\d+(?:\.\d+){1,2}(?:-[a-z]+\.?\d*)?$/;
/** Separators of names in texts; `/` and `:` are separators, too, outside addresses. */
const PARTING = /([\s"'`#,;()[\]{}<>=|@\\]+)/;

const PLAIN = [QUANTITY, VERSION, TIME] as const;
const ONE_WORD = /^[A-Za-z]+(?:-[A-Za-z]+)*$/;

interface Words {
  /** Another word for a name, or for a part of one. */
  name(word: string): string;
  /** A word of a message: English words stay, unless they are used as a name. */
  said(word: string): string;
  /** A field of an object, whose name is defined by Kubernetes. */
  field(name: string): void;
  uuid(uuid: string): string;
}

/** The mapping of texts, independent of single words. */
const createTexts = (words: Words, coin: Coin) => {
  const addresses = createAddresses(coin);

  const chunk = (text: string, isMessage: boolean): string => {
    if (text === "" || isMeaningful(text) || PLAIN.some((form) => form.test(text))) return text;
    if (text.startsWith("vault:")) return text;
    if (UUID.test(text)) return words.uuid(text);
    const whole = addresses.address(text) ?? addresses.prefix(text);
    if (whole !== undefined) return whole;
    // The end of a sentence, or the text before a port range.
    const [, before = "", ending = ""] = /^(.*[^.:!?…])([.:!?…]+)$/.exec(text) ?? [];
    if (ending !== "") return chunk(before, isMessage) + ending;
    for (const separator of ["/", ":"])
      if (text.includes(separator))
        return text
          .split(separator)
          .map((part) => chunk(part, isMessage))
          .join(separator);
    return isMessage ? words.said(text) : words.name(text);
  };

  const text = (whole: string, isMessage = false): string =>
    TIME.test(whole) || isMeaningful(whole)
      ? whole
      : whole
          .split(PARTING)
          .map((part, index) => (index % 2 === 1 ? part : chunk(part, isMessage)))
          .join("");

  const key = (name: string): string => (isWellKnownKey(name) ? name : text(name));

  const value = (one: unknown, field: string): unknown => {
    if (typeof one === "string") {
      if (ENUMERATIONS.has(field) && ONE_WORD.test(one)) return one;
      if (KEYS.has(field)) return key(one);
      return text(one, MESSAGES.has(field));
    }
    if (Array.isArray(one)) return one.map((item) => value(item, field));
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(
      Object.entries(one).map(([name, part]) => {
        // The keys are user-defined; their values are mapped like other texts, even for a key `kind`.
        if (MAPS.has(field) && !SELECTOR_FIELDS.has(name)) return [key(name), value(part, "")];
        words.field(name);
        return [name, value(part, name)];
      }),
    );
  };

  return { text, value: (one: unknown) => value(one, "") };
};

/** @param examples all names that will be mapped: pseudonyms are assigned in the order of the originals. */
export const createPseudonyms = (examples: Iterable<unknown>, coin: Coin): Pseudonyms => {
  const named = new Set<string>();
  const said = new Set<string>();
  const fields = new Set<string>();
  const noting = (words: Set<string>) => (word: string) => {
    words.add(word);
    return word;
  };
  const collecting = createTexts(
    { name: noting(named), said: noting(said), field: noting(fields), uuid: (uuid) => uuid },
    coin,
  );
  for (const example of examples) collecting.value(example);
  /** English, or the path of a field, `spec.ports`: unless it is used as a name. */
  const isPlain = (word: string): boolean =>
    !named.has(word) && word.split(".").every((part) => part === "" || fields.has(part) || isEnglish(part));
  const hidden = [...named, ...[...said].filter((word) => !named.has(word) && !isPlain(word))].toSorted(compareText);

  const names = new Map<string, string>();
  const width = Math.max(2, String(hidden.length).length);
  const nameFor = (word: string): string => {
    let name = names.get(word);
    if (name === undefined) names.set(word, (name = `name-${String(names.size + 1).padStart(width, "0")}`));
    return name;
  };
  for (const word of hidden) nameFor(word);

  const uuids = new Map<string, string>();
  const texts = createTexts(
    {
      name: nameFor,
      said: (word) => (isPlain(word) ? word : nameFor(word)),
      field: () => undefined,
      uuid(uuid) {
        let other = uuids.get(uuid);
        if (other === undefined)
          uuids.set(uuid, (other = `00000000-0000-4000-8000-${String(uuids.size + 1).padStart(12, "0")}`));
        return other;
      },
    },
    coin,
  );
  return { text: texts.text, value: <T>(one: T) => texts.value(one) as T };
};
