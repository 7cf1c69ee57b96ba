// The groups of the key exchange (RFC 8446 section 4.2.7) that can be asked for.

import type { TLSVersion } from '../../certificate/peer.ts'

interface GroupFacts {
  /** The number on the wire. */
  readonly code: number
  /** The versions that have it. */
  readonly versions: readonly TLSVersion[]
}

const BOTH: readonly TLSVersion[] = ['TLSv1.2', 'TLSv1.3']

// OpenSSL knows each of them by the same name.
const GROUPS = {
  X25519: { code: 29, versions: BOTH },
  'P-256': { code: 23, versions: BOTH },
  'P-384': { code: 24, versions: BOTH },
  'P-521': { code: 25, versions: BOTH },
  X448: { code: 30, versions: BOTH },
  // Of an elliptic curve and ML-KEM, against recordings that wait for a quantum computer. OpenSSL has it since 3.5.
  X25519MLKEM768: { code: 0x11ec, versions: ['TLSv1.3'] },
} as const satisfies Record<NamedGroup, GroupFacts>

/** A group of the key exchange. `X25519MLKEM768` is for TLS 1.3, and needs OpenSSL 3.5 (Node 24). */
export type NamedGroup = 'X25519' | 'P-256' | 'P-384' | 'P-521' | 'X448' | 'X25519MLKEM768'

export const NAMED_GROUPS: readonly NamedGroup[] = Object.freeze(Object.keys(GROUPS) as NamedGroup[])

/** The number of a group on the wire. */
export function groupCode(group: NamedGroup): number {
  return GROUPS[group].code
}

export function groupWorksIn(group: NamedGroup, version: TLSVersion): boolean {
  const { versions }: GroupFacts = GROUPS[group]
  return versions.includes(version)
}
