import { createHash } from "node:crypto";

/** SHA-256 of a text, its first 12 hex digits: enough to tell versions of one document apart. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);
