/**
 * Mobility tickets (RFC 8016 §3.3): each names an allocation, and only the relay that issued it can read or make one. No
 * state is kept for a ticket.
 *
 * A ticket is one AES block with two numbers and eight zero bytes, as text: whatever else is deciphered does not end with
 * zeros. coturn's client accepts at most 32 characters, and no zero byte.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

export interface Ticket {
  /** Number of the allocation. */
  readonly allocation: number;
  /** Number of the ticket among those of the allocation, from 1. */
  readonly number: number;
}

const ALGORITHM = "aes-256-ecb";
const KEY_BYTES = 32;
const ALLOCATION_BYTES = 5;
const NUMBER_BYTES = 3;
const ZEROS = Buffer.alloc(8);
const BLOCK_BYTES = ALLOCATION_BYTES + NUMBER_BYTES + ZEROS.length;
/** The highest number of a ticket. */
export const MAX_NUMBER = 256 ** NUMBER_BYTES - 1;
/** Of base64url without padding. */
export const TICKET_BYTES = 22;

export class Tickets {
  readonly #key = randomBytes(KEY_BYTES);

  issue({ allocation, number }: Ticket): Buffer {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.writeUIntBE(allocation, 0, ALLOCATION_BYTES);
    block.writeUIntBE(number, ALLOCATION_BYTES, NUMBER_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, null).setAutoPadding(false);
    return Buffer.from(cipher.update(block).toString("base64url"));
  }

  /** What a ticket names; undefined if this relay did not issue it. */
  read(ticket: Buffer): Ticket | undefined {
    const text = ticket.toString("latin1");
    const block = Buffer.from(text, "base64url");
    // Several texts have the same bytes; one of them is the ticket.
    if (block.length !== BLOCK_BYTES || block.toString("base64url") !== text) return undefined;
    const plain = createDecipheriv(ALGORITHM, this.#key, null).setAutoPadding(false).update(block);
    if (!plain.subarray(-ZEROS.length).equals(ZEROS)) return undefined;
    return {
      allocation: plain.readUIntBE(0, ALLOCATION_BYTES),
      number: plain.readUIntBE(ALLOCATION_BYTES, NUMBER_BYTES),
    };
  }
}
