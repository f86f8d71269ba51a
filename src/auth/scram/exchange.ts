// The server's side of one SCRAM-SHA-256 exchange [RFC 5802, RFC 7677]: texts in, texts out. No
// channel binding: MQTT has no way to agree on one.

import { timingSafeEqual } from 'node:crypto';
import { hmac, sha256 } from '../passwords/compute.ts';
import type { ScramHash } from '../passwords/stored-hash.ts';

export interface ClientFirst {
  readonly username: string;
  readonly nonce: string;
  /** "n,," or "y,,": the client says it again in its last message. */
  readonly header: string;
  /** The message without the header: part of what is signed. */
  readonly bare: string;
}

/** Null when `text` is no client-first-message, or one that asks for what we do not do. */
export function parseClientFirst(text: string): ClientFirst | null {
  const match = /^([ny],,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/su.exec(text);
  if (match === null) return null;
  const [, header, bare, escaped, nonce] = match;
  if (/=(?!2C|3D)/.test(escaped)) return null;
  const username = escaped.replaceAll('=2C', ',').replaceAll('=3D', '=');
  return { username, nonce, header, bare };
}

export class ScramExchange {
  readonly username: string;
  readonly serverFirst: string;
  private readonly first: ClientFirst;
  private readonly hash: ScramHash;
  private readonly nonce: string;

  /** `serverNonce` is our part of it: printable, without a comma. */
  constructor(first: ClientFirst, hash: ScramHash, serverNonce: string) {
    this.username = first.username;
    this.first = first;
    this.hash = hash;
    this.nonce = first.nonce + serverNonce;
    const salt = Buffer.from(hash.salt).toString('base64');
    this.serverFirst = `r=${this.nonce},s=${salt},i=${hash.rounds}`;
  }

  /** The server-final-message when `text` proves that the client knows the password; else null. */
  finish(text: string): string | null {
    const match = /^(c=([A-Za-z0-9+/=]*),r=([^,]*)(?:,.*)?),p=([A-Za-z0-9+/=]*)$/su.exec(text);
    if (match === null) return null;
    const [, withoutProof, binding, nonce, proof64] = match;
    if (Buffer.from(binding, 'base64').toString('latin1') !== this.first.header) return null;
    if (nonce !== this.nonce) return null;
    const proof = Buffer.from(proof64, 'base64');
    if (proof.length !== 32) return null;
    const signed = `${this.first.bare},${this.serverFirst},${withoutProof}`;
    const signature = hmac(this.hash.storedKey, signed);
    const clientKey = Buffer.from(proof.map((byte, i) => byte ^ signature[i]));
    if (!timingSafeEqual(sha256(clientKey), this.hash.storedKey)) return null;
    return `v=${hmac(this.hash.serverKey, signed).toString('base64')}`;
  }
}
