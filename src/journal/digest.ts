import { hash } from "node:crypto";

/** SHA-256 of a text, its first 12 hex digits: enough to distinguish versions of one document. */
export const digest = (text: string): string => hash("sha256", text).slice(0, 12);
